"""Peers to deliver to, which answer what a test tells them to: a DICOM node and a web server."""

from __future__ import annotations

from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Sequence

COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
VERIFICATION = "1.2.840.10008.1.1"


@dataclass
class Archive:
    """What a DICOM node was asked, and what it answers.

    Attributes
    ----------
    statuses : deque[int]
        Answers to the next C-STORE requests; success when there are none left.
    arrived : Counter[str]
        SOP Instance UID to how often it came.
    associations : int
        How many were opened.
    open : Event
        While it is not set, C-STORE requests wait.
    port : int
        Where it listens.
    """

    statuses: deque[int] = field(default_factory=deque)
    arrived: Counter[str] = field(default_factory=Counter)
    associations: int = 0
    open: Event = field(default_factory=Event)
    port: int = 0
    server: Any = None

    @property
    def address(self) -> str:
        """Its address as a target's."""
        return f"ARCHIVE@127.0.0.1:{self.port}"

    def drop_associations(self) -> None:
        """Abort whatever is open."""
        for association in self.server.active_associations:
            association.abort()


@contextmanager
def running_archive(
    *,
    port: int = 0,
    takes: Sequence[str] = (COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE, VERIFICATION),
    callers: Sequence[str] = (),
    tls: ssl.SSLContext | None = None,
) -> Iterator[Archive]:
    """Run a DICOM node that takes objects of some SOP classes, from some AE titles if any."""
    archive = Archive()
    archive.open.set()

    def store(event: evt.Event) -> int:
        assert archive.open.wait(60)
        archive.arrived[str(event.dataset.SOPInstanceUID)] += 1
        return archive.statuses.popleft() if archive.statuses else 0x0000

    def accepted(_: evt.Event) -> None:
        archive.associations += 1

    entity = AE("ARCHIVE")
    entity.require_calling_aet = list(callers)
    for sop_class in takes:
        entity.add_supported_context(sop_class, ExplicitVRLittleEndian)
    archive.server = entity.start_server(
        ("127.0.0.1", port),
        block=False,
        ssl_context=tls,
        evt_handlers=[(evt.EVT_C_STORE, store), (evt.EVT_ACCEPTED, accepted)],
    )
    archive.port = archive.server.server_address[1]
    try:
        yield archive
    finally:
        archive.open.set()
        archive.server.shutdown()


@dataclass
class Site:
    """What a web server was asked, and what it answers.

    Attributes
    ----------
    answers : deque[tuple[int, bytes]]
        Status and body of the next answers; 200 and nothing when there are none left.
    requests : list[tuple[str, str, dict[str, str], bytes]]
        Method, path, headers and body of each request.
    port : int
        Where it listens.
    """

    answers: deque[tuple[int, bytes]] = field(default_factory=deque)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        """Its address as a target's."""
        return f"http://127.0.0.1:{self.port}/base"


@contextmanager
def running_site() -> Iterator[Site]:
    """Run a web server."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            site.requests.append((self.command, self.path, dict(self.headers), body))
            status, content = site.answers.popleft() if site.answers else (200, b"")
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
