"""What readers said, as a manifest for `lungflag recalibrate`, `evaluate` and training."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from lungflag.data.manifest import Manifest, Row
from lungflag.service.ledger.schema import instances, jobs, outcomes, readings, studies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection
    from sqlalchemy import Row as TableRow

    from lungflag.service.ledger import Ledger

    AnyRow = TableRow[*tuple[Any, ...]]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Feedback:
    """Images of which readers said what they show, and how many were left out.

    Attributes
    ----------
    rows : tuple of lungflag.data.manifest.Row
        One for each image.
    unsure : int
        Images of which nobody was sure.
    divided : int
        Images of which readers say different things.
    rejected : int
        Images that were read and had not been judged: agreement says nothing of pneumonia.
    gone : int
        Images whose pixels were deleted by age.
    """

    rows: tuple[Row, ...]
    unsure: int = 0
    divided: int = 0
    rejected: int = 0
    gone: int = 0

    @property
    def manifest(self) -> Manifest:
        """The rows as a manifest.

        Raises
        ------
        ManifestError
            If there are none.
        """
        return Manifest(self.rows)


def read_feedback(
    ledger: Ledger, folder: Path, *, source: str = "", identified: bool = False
) -> Feedback:
    """Return what the readings that stand say of the images that are still there.

    Whoever agrees with a flagged image, or disagrees with one that was not flagged, says that it
    shows pneumonia; the other way round, that it does not. This is a reader's word on seeing the
    detector's, and no reference standard that was made without it.

    Parameters
    ----------
    ledger : Ledger
        Where readings stand.
    folder : Path
        The service's folder.
    source : str
        What the manifest calls the data set.
    identified : bool
        Name patients by their Patient ID, and include comments. Otherwise patients are told apart
        by a hash of it, which is no anonymity to whoever can guess the ID.
    """
    found = ledger.database.read(_standing)
    of_image: dict[str, list[AnyRow]] = defaultdict(list)
    for row in found:
        of_image[row.sop_instance_uid].append(row)
    rows, left = [], dict.fromkeys(("unsure", "divided", "rejected", "gone"), 0)
    for said in of_image.values():
        verdict = _verdict(said)
        if verdict in left:
            left[verdict] += 1
        else:
            rows.append(_row(said, verdict, folder, source, identified=identified))
    return Feedback(tuple(rows), **left)


def safe(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: with an apostrophe before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _standing(connection: Connection) -> list[AnyRow]:
    """Return the readings that were not taken back, of each image's latest outcome."""
    rows = connection.execute(
        select(
            readings.c.reader,
            readings.c.verdict,
            readings.c.comment,
            readings.c.created_at,
            jobs.c.id.label("job"),
            jobs.c.package,
            jobs.c.version,
            outcomes.c.kind,
            outcomes.c.flagged,
            outcomes.c.probability,
            outcomes.c.operating_point,
            instances.c.sop_instance_uid,
            instances.c.study_instance_uid,
            instances.c.path,
            instances.c.expired_at,
            instances.c.view_position,
            instances.c.patient_age,
            instances.c.device_model,
            studies.c.patient_id,
            studies.c.patient_sex,
            studies.c.institution_name,
        )
        .select_from(readings)
        .join(jobs, jobs.c.id == readings.c.job_id)
        .join(outcomes, outcomes.c.job_id == jobs.c.id)
        .join(instances, instances.c.sop_instance_uid == jobs.c.sop_instance_uid)
        .join(studies, studies.c.study_instance_uid == instances.c.study_instance_uid)
        .where(readings.c.undone_at.is_(None))
        .order_by(jobs.c.id, readings.c.id)
    ).all()
    latest = {row.sop_instance_uid: row.job for row in rows}
    return [row for row in rows if latest[row.sop_instance_uid] == row.job]


def _verdict(said: Iterable[AnyRow]) -> str:
    """Return a label of the manifest, or why there is none."""
    rows = list(said)
    if rows[0].expired_at is not None:
        return "gone"
    if rows[0].kind == "rejection":
        return "rejected"
    sure = {
        (row.verdict == "agree") == bool(row.flagged) for row in rows if row.verdict != "unsure"
    }
    if not sure:
        return "unsure"
    if len(sure) > 1:
        return "divided"
    return "pneumonia" if sure.pop() else "normal"


def _row(said: list[AnyRow], label: str, folder: Path, source: str, *, identified: bool) -> Row:
    last = said[-1]
    patient = last.patient_id or last.study_instance_uid
    if not identified:
        patient = hashlib.sha256(patient.encode()).hexdigest()[:16]
    extra: Mapping[str, str] = {
        "image": last.sop_instance_uid,
        "study": last.study_instance_uid,
        "readers": str(len(said)),
        "read_at": last.created_at.isoformat(timespec="seconds"),
        "flagged": "yes" if last.flagged else "no",
        "probability": f"{last.probability:.6f}",
        "operating_point": last.operating_point or "",
        "package": f"{last.package} {last.version}",
        "age": last.patient_age,
        "sex": last.patient_sex,
        "view": last.view_position,
        "device": last.device_model,
        "site": last.institution_name,
        **({"comments": " | ".join(row.comment for row in said)} if identified else {}),
    }
    return Row(
        path=folder.absolute() / last.path,
        label=label,
        patient=safe(patient),
        source=safe(source),
        extra={name: safe(value) for name, value in extra.items()},
    )
