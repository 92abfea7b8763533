"""What the routes share: looking up, noting who looked, and answering conditionally."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Path, Response

from lungflag.service.intake import UID_PATTERN
from lungflag.service.room import Room
from lungflag.station.api import rows, shape
from lungflag.station.api.changes import Watcher
from lungflag.station.api.worklist import Worklist
from lungflag.station.pictures.pictures import Pictures
from lungflag.station.problems import Problem
from lungflag.station.security.principal import address_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

    from lungflag.station.api.rows import ImageState, StudyState
    from lungflag.station.context import Context
    from lungflag.station.security.audit import Action
    from lungflag.station.security.principal import Principal

UID = r"^[0-9]+(\.[0-9]+)*$"
UidPath = Annotated[
    str,
    Path(pattern=UID, max_length=64, description="A DICOM UID.", examples=["2.25.1234567890"]),
]

SAME_LOOK_SECONDS = 300.0
"""A person who looks at a study again within so long is one entry in the audit trail."""

_LOOKS = 10_000


class Parts:
    """The parts of the content API. Safe to share between threads.

    Parameters
    ----------
    context : Context
        Of the station.

    Attributes
    ----------
    context, worklist, watcher, pictures, room
        What the routes work with; the room is for uploads on their way in.
    """

    def __init__(self, context: Context) -> None:
        settings, database = context.settings, context.ledger.database
        self.context = context
        self.database = database
        self.worklist = Worklist(database, context.package)
        self.watcher = Watcher(database, self.worklist)
        self.pictures = Pictures(
            settings.folder, memory_mib=settings.memory_mib, seconds=settings.timeout_seconds
        )
        self.room = Room(settings.receive_mib * 2**20)
        self._looks: OrderedDict[tuple[str, ...], float] = OrderedDict()
        self._lock = Lock()

    def start(self) -> None:
        """Start the threads and processes."""
        self.pictures.start()
        self.watcher.start()

    def stop(self) -> None:
        """End them."""
        self.watcher.stop()
        self.pictures.stop()

    def study(self, uid: str) -> StudyState:
        """Return a study, or raise the problem that there is none."""
        found = self.database.read(partial(rows.load, [uid]))
        if not found:
            raise Problem(404, "Not found", "there is no such study")
        return found[0]

    def image(self, uid: str) -> tuple[StudyState, ImageState]:
        """Return an image and its study, or raise the problem that there is none."""
        study = self.database.read(partial(rows.study_of, uid))
        if study is not None:
            state = self.study(study)
            for image in state.images:
                if image.uid == uid:
                    return state, image
        raise Problem(404, "Not found", "there is no such image")

    def detail(self, study: StudyState, image: ImageState) -> dict[str, Any]:
        """Return an image's detail."""
        sent = self.database.read(partial(rows.deliveries_of, image.row.job))
        return shape.image_detail(study, image, sent, self.context.package)

    def looked(
        self, request: Request, principal: Principal, study: StudyState, action: Action = "read"
    ) -> None:
        """Note in the audit trail that somebody looked at a study, or changed it.

        Looks at the same study within some minutes are one: a page asks for many parts of it.
        """
        address = address_of(request)
        again = self._again(("study", principal.name, address, study.uid))
        if action == "read" and again:
            return
        self.context.audit.accessed(principal, address, study.uid, study.row.patient_id, action)

    def asked(self, request: Request, principal: Principal) -> None:
        """Note in the audit trail that somebody asked for the worklist; as `looked`."""
        address, query = address_of(request), request.url.query
        if not self._again(("query", principal.name, address, query)):
            self.context.audit.queried(principal, address, query)

    def _again(self, look: tuple[str, ...]) -> bool:
        now = monotonic()
        with self._lock:
            before = self._looks.get(look)
            if before is not None and now - before < SAME_LOOK_SECONDS:
                return True
            self._looks[look] = now
            self._looks.move_to_end(look)
            if len(self._looks) > _LOOKS:
                self._looks.popitem(last=False)
            return False


def unchanged(request: Request, headers: Mapping[str, str]) -> Response | None:
    """Return 304 where the client has what it asks for, by the ETag in `headers`."""
    given = request.headers.get("if-none-match", "")
    tags = [tag.strip().removeprefix("W/") for tag in given.split(",")]
    if headers["ETag"].removeprefix("W/") in tags:
        return Response(None, 304, dict(headers))
    return None


def is_uid(text: str) -> bool:
    """Return whether a text can be a UID."""
    return UID_PATTERN.fullmatch(text) is not None


NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The client has it already (If-None-Match)."}
}
