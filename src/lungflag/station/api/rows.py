"""Studies and their images as the ledger knows them, read in a few queries for many at once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from lungflag.service.ledger.schema import (
    amendments,
    deliveries,
    instances,
    jobs,
    outcomes,
    readings,
    studies,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row

_CHUNK = 500  # identifiers in a query


@dataclass(frozen=True, slots=True)
class ImageState:
    """An image with its latest job's outcome and readings.

    Attributes
    ----------
    row : Row
        Columns of the instance, the job and the outcome.
    readings : tuple of Row
        Of the job, oldest first, those that were taken back too.
    """

    row: Row[*tuple[Any, ...]]
    readings: tuple[Row[*tuple[Any, ...]], ...] = ()

    @property
    def uid(self) -> str:
        """Its SOP Instance UID."""
        return str(self.row.sop_instance_uid)

    @property
    def is_done(self) -> bool:
        """Whether there is an outcome."""
        return bool(self.row.kind)

    @property
    def flagged(self) -> bool:
        """Whether it was flagged."""
        return bool(self.row.flagged)

    @property
    def rejected(self) -> bool:
        """Whether it was not judged."""
        return bool(self.row.kind == "rejection")

    @property
    def reading(self) -> Row[*tuple[Any, ...]] | None:
        """The latest reading that was not taken back."""
        standing = [one for one in self.readings if one.undone_at is None]
        return standing[-1] if standing else None


@dataclass(frozen=True, slots=True)
class StudyState:
    """A study and its images, in the order in which they came."""

    row: Row[*tuple[Any, ...]]
    images: tuple[ImageState, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)  # what was made of it before

    @property
    def uid(self) -> str:
        """Its Study Instance UID."""
        return str(self.row.study_instance_uid)

    @property
    def lead(self) -> ImageState | None:
        """The image that decides: the likeliest flagged one, a rejected one, or the first one."""
        flagged = [image for image in self.images if image.flagged]
        if flagged:
            return max(flagged, key=lambda image: float(image.row.probability))
        rejected = [image for image in self.images if image.rejected]
        return next(iter(rejected or self.images), None)

    @property
    def status(self) -> str:
        """``waiting`` for an outcome, ``unread``, or ``read``.

        It is read when a reader has said something, and of every flagged image.
        """
        if not self.images or not all(image.is_done for image in self.images):
            return "waiting"
        said = [image for image in self.images if image.reading is not None]
        silent = [image for image in self.images if image.flagged and image.reading is None]
        return "read" if said and not silent else "unread"


def load(uids: Sequence[str], connection: Connection) -> list[StudyState]:
    """Return the studies with these identifiers, in no order."""
    found: list[StudyState] = []
    for start in range(0, len(uids), _CHUNK):
        found += _load(studies.c.study_instance_uid.in_(uids[start : start + _CHUNK]), connection)
    return found


def newest(most: int, connection: Connection) -> list[str]:
    """Return the identifiers of the studies that came in last."""
    rows = connection.scalars(
        select(studies.c.study_instance_uid).order_by(studies.c.received_at.desc()).limit(most)
    )
    return list(rows)


def study_of(image: str, connection: Connection) -> str | None:
    """Return the study of an image, or None where there is no such image."""
    return connection.scalar(
        select(instances.c.study_instance_uid).where(instances.c.sop_instance_uid == image)
    )


def deliveries_of(job: int, connection: Connection) -> list[Row[*tuple[Any, ...]]]:
    """Return the deliveries of a job's results."""
    rows = connection.execute(
        select(deliveries).where(deliveries.c.job_id == job).order_by(deliveries.c.id)
    )
    return list(rows)


def heatmap_of(job: int, connection: Connection) -> Row[*tuple[Any, ...]] | None:
    """Return a job's heatmap and its shape."""
    return connection.execute(
        select(outcomes.c.heatmap, outcomes.c.heatmap_rows, outcomes.c.heatmap_columns).where(
            outcomes.c.job_id == job
        )
    ).one_or_none()


def _load(which: ColumnElement[bool], connection: Connection) -> Iterator[StudyState]:
    rows = connection.execute(select(studies).where(which)).all()
    said = _readings(which, connection)
    images: dict[str, dict[str, ImageState]] = defaultdict(dict)
    for row in connection.execute(_images().where(which).order_by(jobs.c.id)):
        # A later job of the same image is of a later package version, and takes its place.
        images[row.study_instance_uid][row.sop_instance_uid] = ImageState(
            row, tuple(said.get(row.job, ()))
        )
    for row in rows:
        of_study = images[row.study_instance_uid].values()
        yield StudyState(row, tuple(sorted(of_study, key=lambda image: image.row.came_at)))


def _images() -> Any:
    return (
        select(
            instances.c.sop_instance_uid,
            instances.c.study_instance_uid,
            instances.c.transfer_syntax_uid,
            instances.c.modality,
            instances.c.view_position,
            instances.c.manufacturer,
            instances.c.device_model,
            instances.c.station_name,
            instances.c.patient_age,
            instances.c.rows.label("n_rows"),
            instances.c.columns.label("n_columns"),
            instances.c.sha256,
            instances.c.path,
            instances.c.expired_at,
            instances.c.received_at.label("came_at"),
            jobs.c.id.label("job"),
            jobs.c.package,
            jobs.c.version,
            jobs.c.leased_by,
            jobs.c.done_at,
            outcomes.c.kind,
            outcomes.c.probability,
            outcomes.c.flagged,
            outcomes.c.threshold,
            outcomes.c.operating_point,
            outcomes.c.age_group,
            outcomes.c.marks,
            outcomes.c.code,
            outcomes.c.reason,
            outcomes.c.seconds,
            outcomes.c.decided_at,
            outcomes.c.results,
        )
        .select_from(instances)
        .join(studies, studies.c.study_instance_uid == instances.c.study_instance_uid)
        .join(jobs, jobs.c.sop_instance_uid == instances.c.sop_instance_uid)
        .outerjoin(outcomes, outcomes.c.job_id == jobs.c.id)
    )


def _readings(
    which: ColumnElement[bool], connection: Connection
) -> Mapping[int, list[Row[*tuple[Any, ...]]]]:
    found: dict[int, list[Row[*tuple[Any, ...]]]] = defaultdict(list)
    rows = connection.execute(
        select(
            readings,
            amendments.c.id.label("amendment"),
            amendments.c.done_at.label("amended_at"),
            amendments.c.revision,
        )
        .select_from(readings)
        .join(jobs, jobs.c.id == readings.c.job_id)
        .join(instances, instances.c.sop_instance_uid == jobs.c.sop_instance_uid)
        .join(studies, studies.c.study_instance_uid == instances.c.study_instance_uid)
        .outerjoin(amendments, amendments.c.reading_id == readings.c.id)
        .where(which)
        .order_by(readings.c.id)
    )
    for row in rows:
        found[row.job_id].append(row)
    return found
