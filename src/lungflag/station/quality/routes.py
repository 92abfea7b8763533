"""``/api/v1/quality`` and ``/api/v1/quality.csv``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response

from lungflag.station.quality.document import QualityOut
from lungflag.station.quality.drift import measure_drift
from lungflag.station.quality.rows import embeddings_of, images_since, state
from lungflag.station.quality.summary import summarise
from lungflag.station.quality.table import to_csv
from lungflag.station.security.principal import Principal, needs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lungflag.reference import Reference
    from lungflag.station.context import Context
    from lungflag.station.quality.drift import Drift
    from lungflag.station.quality.rows import Image, State

FRESH_SECONDS = 5.0
"""How long an answer stands while images come in. A reader's word shows at once."""

_KEPT = 32  # answers for different questions

Days = Annotated[int, Query(ge=1, le=366, description="How far to look back.")]
Site = Annotated[str | None, Query(max_length=200, description="Institution; empty: not stated.")]
Device = Annotated[
    str | None, Query(max_length=200, description="Manufacturer and model; empty: not stated.")
]


def routes(context: Context) -> APIRouter:
    """Return the routes of the quality page."""
    router = APIRouter(prefix="/api/v1", tags=["quality"])
    desk = Desk(context)

    @router.get("/quality", summary="How the detector does here")
    def quality(
        _principal: Annotated[Principal, needs("studies:read")],
        days: Days = 30,
        site: Site = None,
        device: Device = None,
    ) -> QualityOut:
        """Agreement, accuracy by readers' word, drift, rejections and turnaround.

        Figures only: no patient, study or reader is named, so that no study counts as seen.
        """
        return desk.answer(days, site, device)

    @router.get(
        "/quality.csv",
        summary="The same as a table",
        response_class=Response,
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    )
    def quality_csv(
        _principal: Annotated[Principal, needs("studies:read")],
        days: Days = 30,
        site: Site = None,
        device: Device = None,
    ) -> Response:
        """One row a figure; cells that a spreadsheet would run begin with an apostrophe."""
        return Response(
            to_csv(desk.answer(days, site, device)),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="quality.csv"'},
        )

    return router


class Desk:
    """Answers what the page asks, and remembers its answers for a while. Thread-safe.

    Parameters
    ----------
    context : Context
        Of the station.
    """

    def __init__(self, context: Context) -> None:
        self._database = context.ledger.database
        self._package = context.package
        self._point = context.package.operating_point(context.settings.operating_point or None)
        self._reference = context.package.reference()
        self._lock = Lock()
        self._answers: dict[tuple[int, str | None, str | None], _Answer] = {}

    def answer(self, days: int, site: str | None, device: str | None) -> QualityOut:
        """Return the page's content."""
        asked = (days, site, device)
        # One at a time: a crowd on this page must not take both processors from the worklist.
        with self._lock:
            now = self._database.read(state)
            known = self._answers.pop(asked, None)
            if known is None or not known.holds(now):
                known = _Answer(now, self._work_out(*asked))
            self._answers[asked] = known
            while len(self._answers) > _KEPT:
                self._answers.pop(next(iter(self._answers)))
        return known.content

    def _work_out(self, days: int, site: str | None, device: str | None) -> QualityOut:
        since = datetime.now(UTC) - timedelta(days=days)
        of_package = (since, self._package.name, self._package.version)
        return summarise(
            self._database.read(partial(images_since, *of_package)),
            since=since,
            days=days,
            site=site,
            device=device,
            package=self._package,
            point=self._point,
            reference=self._reference,
            measure=self._measure,
        )

    def _measure(self, images: Sequence[Image], reference: Reference) -> Drift:
        return measure_drift(images, reference, self._package.calibration, self._embeddings)

    def _embeddings(self, numbers: Sequence[int]) -> Mapping[int, bytes]:
        return self._database.read(partial(embeddings_of, numbers))


class _Answer:
    """The page's content, and what it was made from."""

    def __init__(self, made_of: State, content: QualityOut) -> None:
        self._made_of, self.content = made_of, content
        self._until = monotonic() + FRESH_SECONDS

    def holds(self, now: State) -> bool:
        """Return whether it may still be given."""
        same_words = (now.read, now.undone) == (self._made_of.read, self._made_of.undone)
        # The span of days moves on by itself, so that nothing holds for ever.
        return same_words and monotonic() < self._until
