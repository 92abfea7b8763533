"""What the quality page is computed from: the ledger's rows of a span of days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from lungflag.service.ledger.schema import instances, jobs, outcomes, readings, studies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

MOST = 50_000
"""Images that are looked at: the newest."""


@dataclass(frozen=True, slots=True)
class Image:
    """One judged image, and the last word that a reader left standing on it.

    Attributes
    ----------
    job : int
        Number of its job.
    patient : str
        Its patient; the study where no patient is named.
    site, device : str
        Institution; manufacturer and model.
    received_at, done_at : datetime
        When it came and when it had its outcome.
    probability, flagged, grey_mean, grey_std
        None for rejected images.
    code : str or None
        Why it was rejected.
    verdict : str or None
        ``agree``, ``disagree`` or ``unsure``; None where nobody has read it.
    read_at : datetime or None
        When that was said.
    """

    job: int
    patient: str
    site: str
    device: str
    received_at: datetime
    done_at: datetime
    probability: float | None
    flagged: bool | None
    grey_mean: float | None
    grey_std: float | None
    code: str | None
    verdict: str | None = None
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What changes when the ledger has something new for the page."""

    judged: datetime | None
    read: int
    undone: datetime | None


def state(connection: Connection) -> State:
    """Return the state of what the page shows; cheap."""
    judged = connection.scalar(select(func.max(outcomes.c.decided_at)))
    read = connection.scalar(select(func.max(readings.c.id))) or 0
    return State(judged, read, connection.scalar(select(func.max(readings.c.undone_at))))


def images_since(
    since: datetime, package: str, version: str, connection: Connection
) -> tuple[Image, ...]:
    """Return the images that one package version judged since a time, the newest first."""
    of_package = (
        (outcomes.c.decided_at >= since) & (jobs.c.package == package) & (jobs.c.version == version)
    )
    joined = outcomes.join(jobs).join(instances).join(studies)
    said = {
        job: (verdict, at)
        for job, verdict, at in connection.execute(
            select(readings.c.job_id, readings.c.verdict, readings.c.created_at)
            .join(outcomes, outcomes.c.job_id == readings.c.job_id)
            .where(readings.c.undone_at.is_(None), outcomes.c.decided_at >= since)
            .order_by(readings.c.id)
        )
    }
    rows = connection.execute(
        select(
            jobs.c.id,
            studies.c.patient_id,
            studies.c.study_instance_uid,
            studies.c.institution_name,
            instances.c.manufacturer,
            instances.c.device_model,
            jobs.c.received_at,
            outcomes.c.decided_at,
            outcomes.c.probability,
            outcomes.c.flagged,
            outcomes.c.grey_mean,
            outcomes.c.grey_std,
            outcomes.c.code,
        )
        .select_from(joined)
        .where(of_package)
        .order_by(outcomes.c.decided_at.desc(), jobs.c.id.desc())
        .limit(MOST)
    )
    return tuple(_image(tuple(row), *said.get(row[0], (None, None))) for row in rows)


def _image(row: Sequence[Any], verdict: str | None, read_at: datetime | None) -> Image:
    job, patient, study, site, maker, model, received_at, done_at, *facts = row
    probability, flagged, grey_mean, grey_std, code = facts
    return Image(
        job=job,
        patient=patient or study,
        site=(site or "").strip(),
        device=" ".join(f"{maker or ''} {model or ''}".split()),
        received_at=received_at,
        done_at=done_at,
        probability=probability,
        flagged=flagged,
        grey_mean=grey_mean,
        grey_std=grey_std,
        code=code,
        verdict=verdict,
        read_at=read_at,
    )


def embeddings_of(numbers: Sequence[int], connection: Connection) -> dict[int, bytes]:
    """Return the stored embeddings of jobs."""
    rows = connection.execute(
        select(outcomes.c.job_id, outcomes.c.embedding).where(
            outcomes.c.job_id.in_(numbers), outcomes.c.embedding.is_not(None)
        )
    )
    return {number: bytes(content) for number, content in rows}
