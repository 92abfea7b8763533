"""The content of the web API: images, the worklist, readings, live changes and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from lungflag.station.api.images import image_routes
from lungflag.station.api.parts import Parts
from lungflag.station.api.readings import reading_routes
from lungflag.station.api.studies import study_routes
from lungflag.station.api.upload import upload_routes

if TYPE_CHECKING:
    from lungflag.station.context import Context

__all__ = ["Content"]


class Content:
    """The routes, and the threads and processes behind them.

    Parameters
    ----------
    context : Context
        Of the station.

    Attributes
    ----------
    router : APIRouter
        Under ``/api/v1``.
    """

    def __init__(self, context: Context) -> None:
        self._parts = Parts(context)
        self.router = APIRouter(prefix="/api/v1")
        for make in (upload_routes, image_routes, reading_routes, study_routes):
            self.router.include_router(make(self._parts))

    def start(self) -> None:
        """Watch the ledger, and start the processes that decode."""
        self._parts.start()

    def stop(self) -> None:
        """End them, and the connections that listen for changes."""
        self._parts.stop()
