"""What readers say of outcomes: agreed, disagreed, unsure; and taken back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy import delete, select, update
from starlette.responses import JSONResponse

from lungflag.service.ledger.schema import amendments, instances, jobs, readings
from lungflag.station.api import shape
from lungflag.station.api.models import NewReading, Reading
from lungflag.station.api.parts import Parts, UidPath
from lungflag.station.problems import Problem, responses
from lungflag.station.security.principal import Principal, needs

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from lungflag.service.ledger.database import Database

Viewer = Annotated[Principal, needs("studies:read")]
Reader = Annotated[Principal, needs("feedback:write")]


def reading_routes(parts: Parts) -> APIRouter:
    """Return ``/images/{image}/readings`` and ``/readings/{id}``."""
    router = APIRouter(tags=["readings"])

    @router.get("/images/{image}/readings", response_model=list[Reading], responses=responses(404))
    def list_readings(request: Request, image: UidPath, principal: Viewer) -> Response:
        """Return what was said of an image's latest outcome, oldest first."""
        study, state = parts.image(image)
        parts.looked(request, principal, study)
        said = [shape.reading(one) for one in state.readings]
        return JSONResponse(said, headers={"Cache-Control": "private, no-cache"})

    @router.post(
        "/images/{image}/readings",
        status_code=201,
        response_model=Reading,
        responses=responses(404, 409),
    )
    def add_reading(
        request: Request, image: UidPath, body: NewReading, principal: Reader
    ) -> Response:
        """Say what you think of an image's latest outcome.

        It takes the place of what you said of it before. A disagreement, and taking one back,
        makes a report that supersedes the one before, and goes where that went.
        """
        study, state = parts.image(image)
        if not state.is_done:
            raise Problem(409, "Not judged yet", "there is no outcome to say anything of")
        comment = " ".join("".join(map(_visible, body.comment)).split())
        added = parts.database.write(
            partial(add, parts.database, state.row.job, principal.name, body.verdict, comment)
        )
        parts.looked(request, principal, study, "update")
        parts.watcher.look()
        _, state = parts.image(image)
        said = next(one for one in state.readings if one.id == added)
        return JSONResponse(shape.reading(said), 201)

    @router.delete("/readings/{reading}", status_code=204, responses=responses(404))
    def undo_reading(
        request: Request,
        reading: Annotated[int, Path(ge=1, le=2**53, description="Number of a reading.")],
        principal: Reader,
    ) -> Response:
        """Take a reading back: your own, or as an admin anybody's."""
        row = parts.database.read(partial(find, reading))
        if row is None:
            raise Problem(404, "Not found", "there is no such reading")
        if row.reader != principal.name and not principal.may("admin"):
            raise Problem(403, "Not allowed", "this is another reader's")
        parts.database.write(partial(undo, parts.database, reading))
        parts.looked(request, principal, parts.study(row.study_instance_uid), "update")
        parts.watcher.look()
        return Response(status_code=204)

    return router


def add(
    database: Database, job: int, reader: str, verdict: str, comment: str, connection: Connection
) -> int:
    """Write a reading in place of the reader's former one, and return its number.

    The job's row is locked, so that nobody reads the former ones at the same time.
    """
    connection.execute(select(jobs.c.id).where(jobs.c.id == job).with_for_update())
    former = connection.execute(
        select(readings.c.id, readings.c.verdict).where(
            readings.c.job_id == job,
            readings.c.reader == reader,
            readings.c.undone_at.is_(None),
        )
    ).all()
    for row in former:
        # A disagreement that follows another one has a report of its own.
        amends = row.verdict == "disagree" and verdict != "disagree"
        _take_back(database, row.id, connection, amends=amends)
    added = connection.execute(
        readings.insert()
        .values(
            job_id=job, reader=reader, verdict=verdict, comment=comment, created_at=database.now()
        )
        .returning(readings.c.id)
    ).scalar_one()
    if verdict == "disagree":
        connection.execute(amendments.insert().values(reading_id=added, due_at=database.now()))
    return int(added)


def undo(database: Database, reading: int, connection: Connection) -> None:
    """Take a reading back; a report that says it is superseded again. Harmless when repeated."""
    row = connection.execute(
        select(readings.c.verdict, readings.c.undone_at)
        .where(readings.c.id == reading)
        .with_for_update()
    ).one()
    if row.undone_at is None:
        _take_back(database, reading, connection, amends=row.verdict == "disagree")


def find(reading: int, connection: Connection) -> Row[*tuple[Any, ...]] | None:
    """Return a reading with its study, or None."""
    return connection.execute(
        select(readings, instances.c.study_instance_uid)
        .join(jobs, jobs.c.id == readings.c.job_id)
        .join(instances, instances.c.sop_instance_uid == jobs.c.sop_instance_uid)
        .where(readings.c.id == reading)
    ).one_or_none()


def _take_back(database: Database, reading: int, connection: Connection, *, amends: bool) -> None:
    connection.execute(
        update(readings).where(readings.c.id == reading).values(undone_at=database.now())
    )
    ours = amendments.c.reading_id == reading
    if not _is_reported(reading, connection):
        # Nobody has begun to say it anywhere: there is nothing to be superseded.
        unbegun = amendments.c.leased_by.is_(None) & amendments.c.done_at.is_(None)
        connection.execute(delete(amendments).where(ours, unbegun))
    if amends:
        connection.execute(
            update(amendments)
            .where(ours, amendments.c.done_at.is_not(None))
            .values(done_at=None, leased_by=None, attempts=0, due_at=database.now())
        )


def _is_reported(reading: int, connection: Connection) -> bool:
    """Return whether a report of the same outcome says what some reader thinks."""
    job = select(readings.c.job_id).where(readings.c.id == reading).scalar_subquery()
    made = (
        select(amendments.c.id)
        .join(readings, readings.c.id == amendments.c.reading_id)
        .where(readings.c.job_id == job, amendments.c.revision > 0)
    )
    return connection.execute(made.limit(1)).first() is not None


def _visible(letter: str) -> str:
    return letter if letter.isprintable() else " "
