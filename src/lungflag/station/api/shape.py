"""From the ledger's rows to what `lungflag.station.api.models` describes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lungflag.errors import PackageError
from lungflag.outcome import CODES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Row

    from lungflag.package import ModelPackage
    from lungflag.station.api.rows import ImageState, StudyState

    AnyRow = Row[*tuple[Any, ...]]


def moment(at: datetime | None) -> str | None:
    """Return a time as the API writes it."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def outcome(row: AnyRow, package: ModelPackage) -> dict[str, Any] | None:
    """Return an outcome."""
    if row.kind is None:
        return None
    common = {
        "package": row.package,
        "version": row.version,
        "decided_at": moment(row.decided_at),
        "seconds": row.seconds,
    }
    if row.kind == "rejection":
        return {
            "kind": "rejection",
            "code": row.code,
            "reason": row.reason or "",
            "meaning": CODES.get(row.code, ""),
            **common,
        }
    sensitivity, specificity = _rates(row, package)
    return {
        "kind": "finding",
        "probability": row.probability,
        "flagged": bool(row.flagged),
        "threshold": row.threshold or 0.0,
        "operating_point": row.operating_point or "",
        "sensitivity": sensitivity,
        "specificity": specificity,
        "age_group": row.age_group or "",
        "marks": list(row.marks or ()),
        **common,
    }


def _rates(row: AnyRow, package: ModelPackage) -> tuple[float | None, float | None]:
    """Return what is known of the operating point, if it is one of the package at hand."""
    if (row.package, row.version) != (package.name, package.version):
        return None, None
    try:
        point = package.operating_point(row.operating_point or None, row.age_group or "")
    except PackageError:
        return None, None
    return point.sensitivity, point.specificity


def reading(row: AnyRow) -> dict[str, Any]:
    """Return a reading."""
    amended = None if row.amendment is None else "done" if row.amended_at else "pending"
    return {
        "id": row.id,
        "reader": row.reader,
        "verdict": row.verdict,
        "comment": row.comment,
        "created_at": moment(row.created_at),
        "undone_at": moment(row.undone_at),
        "amended": amended,
    }


def image_row(image: ImageState, package: ModelPackage) -> dict[str, Any]:
    """Return an image as a worklist shows it."""
    row, said = image.row, image.reading
    state = "done" if image.is_done else "judging" if row.leased_by else "waiting"
    return {
        "image": row.sop_instance_uid,
        "view_position": row.view_position,
        "modality": row.modality,
        "rows": row.n_rows,
        "columns": row.n_columns,
        "state": state,
        "outcome": outcome(row, package),
        "reading": None if said is None else reading(said),
        "has_thumbnail": row.kind == "finding" and bool(row.results),
    }


def image_detail(
    study: StudyState, image: ImageState, deliveries: Iterable[AnyRow], package: ModelPackage
) -> dict[str, Any]:
    """Return an image with all that is known of it."""
    row = image.row
    device = " ".join(filter(None, (row.manufacturer, row.device_model, row.station_name)))
    return {
        **image_row(image, package),
        **_facts(study),
        "patient_age": row.patient_age,
        "received_at": moment(row.came_at),
        "device": device,
        "readings": [reading(one) for one in image.readings],
        "deliveries": [
            {
                "target": one.target,
                "kind": one.kind,
                "revision": one.revision,
                "state": "delivered" if one.done_at else "dead" if one.dead_at else "waiting",
            }
            for one in deliveries
        ],
    }


def withheld(detail: dict[str, Any]) -> dict[str, Any]:
    """Return an image's detail for who may send images, and may not see studies."""
    hidden = dict.fromkeys(
        ("patient_id", "patient_name", "patient_sex", "patient_age", "accession_number"), ""
    )
    return {**detail, **hidden, "reading": None, "readings": [], "deliveries": []}


def study_row(study: StudyState, package: ModelPackage) -> dict[str, Any]:
    """Return a study as the worklist shows it."""
    return {**study_facts(study, package), "images": len(study.images)}


def study_facts(study: StudyState, package: ModelPackage) -> dict[str, Any]:
    """Return what row and detail of a study have in common."""
    lead = study.lead
    return {
        **_facts(study),
        "study_time": study.row.study_time,
        "description": study.row.study_description,
        "priority": study.row.priority,
        "status": study.status,
        "lead": None if lead is None else image_row(lead, package),
    }


def _facts(study: StudyState) -> dict[str, Any]:
    row = study.row
    ages = [image.row.patient_age for image in study.images if image.row.patient_age]
    return {
        "study": row.study_instance_uid,
        "patient_id": row.patient_id,
        "patient_name": row.patient_name,
        "patient_sex": row.patient_sex,
        "patient_age": ages[0] if ages else "",
        "accession_number": row.accession_number,
        "study_date": row.study_date,
        "institution": row.institution_name,
        "received_at": moment(row.received_at),
    }
