"""The worklist in memory: read anew only where the ledger has changed, for all readers at once."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from lungflag.service.priority import PRIORITIES
from lungflag.station.api import rows, shape
from lungflag.station.api.changes import changed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lungflag.package import ModelPackage
    from lungflag.service.ledger.database import Database
    from lungflag.station.api.rows import StudyState

MOST = 50_000
"""Studies that are held; older ones have left the worklist."""

_PAGES = 512  # pages that are kept while nothing changes

Key = tuple[bool, int, datetime, str]


class CursorError(ValueError):
    """A cursor that was not made here."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a reader asks for. Empty values ask for nothing.

    Attributes
    ----------
    status, outcome : str
        As in the API.
    q : str
        Part of a patient's ID or name, or of an accession number.
    site : str
        The institution's name.
    since : datetime or None
        Studies that came in at this time or later.
    limit : int
        Studies on a page.
    cursor : str
        Where the page begins.
    """

    status: str = ""
    outcome: str = ""
    q: str = ""
    site: str = ""
    since: datetime | None = None
    limit: int = 50
    cursor: str = ""

    def match(self, study: StudyState) -> bool:
        """Return whether a study is asked for."""
        if self.status and study.status != self.status:
            return False
        if self.outcome and not _has_outcome(study, self.outcome):
            return False
        if self.site and study.row.institution_name != self.site:
            return False
        if self.since is not None and study.row.received_at < self.since:
            return False
        return not self.q or self.q.casefold() in _searched(study)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The worklist at one moment.

    Attributes
    ----------
    version : int
        Grows with every change, also over restarts.
    keys : sequence of tuples
        What the studies are sorted by.
    studies : sequence of StudyState
        In their order.
    counts : Mapping[str, int]
        How many there are in which state.
    pages : OrderedDict
        Pages that were asked for, as JSON.
    """

    version: int
    keys: Sequence[Key]
    studies: Sequence[StudyState]
    counts: Mapping[str, int]
    pages: OrderedDict[Filters, bytes] = field(default_factory=OrderedDict)
    lock: Lock = field(default_factory=Lock)


class Worklist:
    """Safe to share between threads.

    Parameters
    ----------
    database : Database
        The ledger's.
    package : ModelPackage
        Whose operating points are named.
    """

    def __init__(self, database: Database, package: ModelPackage) -> None:
        self._database = database
        self._package = package
        self._held: dict[str, StudyState] = {}
        self._read_at: datetime | None = None
        self._lock = Lock()
        self._snapshot = Snapshot(_milliseconds(), (), (), _counts(()))

    @property
    def now(self) -> Snapshot:
        """The worklist as it was last read."""
        return self._snapshot

    def refresh(self, *, whole: bool = False) -> Snapshot:
        """Read what has changed, or everything, from the ledger."""
        with self._lock:
            since = None if whole else self._read_at
            at, uids = self._database.read(partial(changed, self._database, since, MOST))
            found = self._database.read(partial(rows.load, uids))
            if since is None:
                self._held.clear()
            self._held.update((study.uid, study) for study in found)
            self._read_at = at
            self._sort()
            return self._snapshot

    def page(self, filters: Filters) -> tuple[Snapshot, bytes]:
        """Return a page as JSON; made once, however many readers ask for it.

        Raises
        ------
        CursorError
            If the cursor was not made here.
        """
        snapshot = self._snapshot
        with snapshot.lock:
            body = snapshot.pages.get(filters)
            if body is None:
                body = self._page(snapshot, filters)
                snapshot.pages[filters] = body
                if len(snapshot.pages) > _PAGES:
                    snapshot.pages.popitem(last=False)
            return snapshot, body

    def neighbours(self, study: str) -> dict[str, str | None]:
        """Return the studies before and after one."""
        snapshot, held = self._snapshot, self._held.get(study)
        if held is None:
            return {"previous": None, "next": None}
        at = bisect_right(snapshot.keys, _key(held))
        before, after = at - 2, at
        return {
            "previous": snapshot.studies[before].uid if before >= 0 else None,
            "next": snapshot.studies[after].uid if after < len(snapshot.studies) else None,
        }

    def _sort(self) -> None:
        keyed = sorted(((_key(study), study) for study in self._held.values()), key=_first)
        for _, study in keyed[MOST:]:
            del self._held[study.uid]
        keyed = keyed[:MOST]
        studies = tuple(study for _, study in keyed)
        version = max(self._snapshot.version + 1, _milliseconds())
        keys = tuple(key for key, _ in keyed)
        self._snapshot = Snapshot(version, keys, studies, _counts(studies))

    def _page(self, snapshot: Snapshot, filters: Filters) -> bytes:
        start = bisect_right(snapshot.keys, _decoded(filters.cursor)) if filters.cursor else 0
        found: list[str] = []
        last: StudyState | None = None
        following = None
        for study in snapshot.studies[start:]:
            if not filters.match(study):
                continue
            if last is not None and len(found) == filters.limit:
                following = _encoded(_key(last))
                break
            found.append(self._row(study))
            last = study
        rest = {"next": following, "counts": snapshot.counts, "version": snapshot.version}
        return f'{{"items":[{",".join(found)}],{json.dumps(rest)[1:]}'.encode()

    def _row(self, study: StudyState) -> str:
        text = study.texts.get("row")
        if text is None:
            row = shape.study_row(study, self._package)
            text = study.texts["row"] = json.dumps(row, separators=(",", ":"))
        return text


def _key(study: StudyState) -> Key:
    """Return what a study is sorted by: not read first, then urgency, then waiting time."""
    row = study.row
    return study.status == "read", PRIORITIES.index(row.priority), row.received_at, study.uid


def _first(pair: tuple[Key, StudyState]) -> Key:
    return pair[0]


def _has_outcome(study: StudyState, wanted: str) -> bool:
    lead = study.lead
    if lead is None or not lead.is_done:
        return False
    return wanted == ("rejected" if lead.rejected else "flagged" if lead.flagged else "not-flagged")


def _searched(study: StudyState) -> str:
    text = study.texts.get("searched")
    if text is None:
        row = study.row
        name = row.patient_name.replace("^", " ")
        parts = (row.patient_id, row.patient_name, name, row.accession_number)
        text = study.texts["searched"] = "\n".join(parts).casefold()
    return text


def _counts(studies: Sequence[StudyState]) -> dict[str, int]:
    counts = dict.fromkeys(("waiting", "unread", "read", "rejected", "flagged"), 0)
    for study in studies:
        counts[study.status] += 1
        lead = study.lead
        if lead is not None and lead.rejected:
            counts["rejected"] += 1
        elif lead is not None and lead.flagged:
            counts["flagged"] += 1
    return counts


def _milliseconds() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def _encoded(key: Key) -> str:
    text = json.dumps([key[0], key[1], key[2].isoformat(), key[3]])
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(cursor: str) -> Key:
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        read, rank, at, uid = json.loads(text)
        when = datetime.fromisoformat(at)
        if when.tzinfo is None or not isinstance(uid, str):
            raise ValueError(cursor)
        return bool(read), int(rank), when, uid
    except (ValueError, TypeError, RecursionError) as error:
        raise CursorError("is no cursor of this worklist") from error
