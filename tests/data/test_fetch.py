"""Downloads against a real server on the loopback that misbehaves as servers do."""

from __future__ import annotations

import hashlib
import io
import re
import socket
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from lungflag.cli.data import app
from lungflag.data.download import RemoteFile, Transport
from lungflag.data.fetch import DATASETS, Published, fetch
from lungflag.data.sources import open_data
from lungflag.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BODY = np.random.default_rng(1).bytes(300_000)


class Server(ThreadingHTTPServer):
    """Serves one body; `script` says how each request in turn is treated, the last one for good."""

    daemon_threads = True

    def __init__(self, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.etag = body, '"v1"'
        self.script: list[Callable[[Handler], None]] = [Handler.serve]
        self.ranges: list[str | None] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range"))
        script = self.server.script
        (script.pop(0) if len(script) > 1 else script[0])(self)

    def serve(self, *, upto: int | None = None, ranges: bool = True, announce: bool = True) -> None:
        body, start = self.server.body, 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", self.server.etag) == self.server.etag
        if asked and ranges and same:
            start = int(asked[1])
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("ETag", self.server.etag)
        if announce:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : len(body) if upto is None else max(start, upto)])

    def drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        for start in range(0, len(self.server.body), 15_000):
            self.server.closing.wait(0.005)
            self.wfile.write(self.server.body[start : start + 15_000])

    def stall(self) -> None:
        self.serve(upto=100_000)
        self.wfile.flush()
        self.server.closing.wait(30)


def breaks_at(upto: int, *, ranges: bool = True) -> Callable[[Handler], None]:
    return lambda handler: handler.serve(upto=upto, ranges=ranges)


def says(status: int) -> Callable[[Handler], None]:
    return lambda handler: handler.send_error(status)


@contextmanager
def serving(body: bytes) -> Iterator[Server]:
    server = Server(body)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(BODY) as running:
        yield running


def published(server: Server, name: str = "file.npz", unpacked: str = "") -> Published:
    digest = hashlib.md5(BODY).hexdigest() if server.body is BODY else None
    file = RemoteFile(server.url, name, len(server.body), digest)
    return Published("a test", file, "CC BY 4.0", "Nobody, 2020", unpacked)


EAGER = Transport(delays=(0, 0, 0), timeout=5)


def test_a_whole_download(server: Server, tmp_path: Path) -> None:
    seen = []
    eager = replace(EAGER, progress=lambda *step: seen.append(step))
    fetched = fetch(published(server), tmp_path / "new" / "data", eager)
    assert fetched.fresh
    assert fetched.path.read_bytes() == BODY
    assert seen[-1] == ("download", len(BODY), len(BODY))
    assert [file.name for file in fetched.path.parent.iterdir()] == ["file.npz"]


def test_what_is_already_there_is_left_alone(server: Server, tmp_path: Path) -> None:
    fetch(published(server), tmp_path, EAGER)
    assert not fetch(published(server), tmp_path, EAGER).fresh
    assert len(server.ranges) == 1


def test_a_broken_transfer_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.script = [breaks_at(1000), breaks_at(200_000), Handler.serve]
    notices: list[str] = []
    fetched = fetch(published(server), tmp_path, replace(EAGER, notice=notices.append))
    assert fetched.path.read_bytes() == BODY
    assert server.ranges == [None, "bytes=1000-", "bytes=200000-"]
    assert notices == ["the connection broke off; trying again in 0 s"] * 2


def test_any_number_of_breaks_is_borne_while_bytes_come(server: Server, tmp_path: Path) -> None:
    server.script = [*(breaks_at(n) for n in range(20_000, 300_000, 20_000)), Handler.serve]
    assert fetch(published(server), tmp_path, EAGER).path.read_bytes() == BODY
    assert len(server.ranges) == 15


def test_a_later_call_goes_on_too(server: Server, tmp_path: Path) -> None:
    server.script = [breaks_at(1000)]
    with pytest.raises(FetchError, match=r"1,000 of 300,000 bytes are kept"):
        fetch(published(server), tmp_path, EAGER)
    assert len(server.ranges) == 4
    server.script = [Handler.serve]
    assert fetch(published(server), tmp_path, EAGER).path.read_bytes() == BODY
    assert server.ranges[-1] == "bytes=1000-"


def test_a_server_without_ranges_starts_anew(server: Server, tmp_path: Path) -> None:
    server.script = [breaks_at(1000), breaks_at(500, ranges=False), breaks_at(10**9, ranges=False)]
    assert fetch(published(server), tmp_path, EAGER).path.read_bytes() == BODY


def test_a_file_that_changed_between_two_tries_is_not_mixed(server: Server, tmp_path: Path) -> None:
    def change(handler: Handler) -> None:
        server.body, server.etag = BODY, '"v2"'
        handler.serve()

    whole = published(server)
    server.body = bytes(len(BODY))
    server.script = [breaks_at(1000), change]
    assert fetch(whole, tmp_path, EAGER).path.read_bytes() == BODY
    assert server.ranges == [None, "bytes=1000-"]


def test_a_server_that_refuses_the_range_starts_anew(server: Server, tmp_path: Path) -> None:
    server.script = [breaks_at(1000), says(416), Handler.serve]
    assert fetch(published(server), tmp_path, EAGER).path.read_bytes() == BODY
    assert server.ranges == [None, "bytes=1000-", None]


def test_a_file_that_shrank_is_refused(server: Server, tmp_path: Path) -> None:
    def shrink(handler: Handler) -> None:
        server.body = BODY[:500]
        handler.serve()

    server.script = [breaks_at(1000), shrink]
    with pytest.raises(FetchError, match="expected 300,000 bytes, the server has 500"):
        fetch(published(server), tmp_path, EAGER)


def test_a_slow_server_is_waited_for(server: Server, tmp_path: Path) -> None:
    server.script = [Handler.drip]
    assert fetch(published(server), tmp_path, EAGER).path.read_bytes() == BODY
    assert len(server.ranges) == 1


def test_a_server_that_falls_silent_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.script = [Handler.stall, Handler.serve]
    impatient = Transport(delays=(0, 0, 0), timeout=0.5)
    assert fetch(published(server), tmp_path, impatient).path.read_bytes() == BODY
    assert server.ranges[:2] == [None, "bytes=100000-"]


def test_a_corrupted_file_is_removed_and_the_next_try_is_clean(
    server: Server, tmp_path: Path
) -> None:
    whole = published(server)
    server.body = BODY[:1000] + b"?" + BODY[1001:]
    found = hashlib.md5(server.body).hexdigest()
    expected = f"file.npz: not the published file: expected MD5 {whole.file.md5}, found {found}"
    with pytest.raises(FetchError, match=expected):
        fetch(whole, tmp_path, EAGER)
    assert list(tmp_path.iterdir()) == []
    server.body = BODY
    assert fetch(whole, tmp_path, EAGER).path.read_bytes() == BODY


def test_a_file_of_another_size_is_refused_before_it_is_fetched(
    server: Server, tmp_path: Path
) -> None:
    whole = published(server)
    server.body = BODY + b"more"
    with pytest.raises(FetchError, match="expected 300,000 bytes, the server has 300004"):
        fetch(whole, tmp_path, EAGER)
    server.script = [lambda handler: handler.serve(announce=False)]
    with pytest.raises(FetchError, match="expected 300,000 bytes, found 300,004"):
        fetch(whole, tmp_path, EAGER)
    assert list(tmp_path.iterdir()) == []
    server.body = BODY[:-1]
    with pytest.raises(FetchError, match="expected 300,000 bytes, the server has 299999"):
        fetch(whole, tmp_path / "short", EAGER)


def test_a_foreign_file_of_that_name_is_kept(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.npz").write_bytes(b"mine")
    with pytest.raises(FetchError, match=r"expected 300,000 bytes, found 4; move .*file\.npz away"):
        fetch(published(server), tmp_path, EAGER)
    assert (tmp_path / "file.npz").read_bytes() == b"mine"


def test_a_refusal_is_final(server: Server, tmp_path: Path) -> None:
    server.script = [says(404)]
    with pytest.raises(FetchError, match=f"{server.url}: HTTP 404 Not Found"):
        fetch(published(server), tmp_path, EAGER)
    assert len(server.ranges) == 1


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.script = [says(503), says(429), Handler.serve]
    assert fetch(published(server), tmp_path, EAGER).path.read_bytes() == BODY
    server.script = [says(503)]
    with pytest.raises(FetchError, match="HTTP 503 Service Unavailable"):
        fetch(published(server, "other.npz"), tmp_path, EAGER)


def test_no_network_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        file = RemoteFile(f"http://127.0.0.1:{taken.getsockname()[1]}/f", "f", 9)
        with pytest.raises(
            FetchError, match=r"no connection to 127\.0\.0\.1:\d+ \(.*refused"
        ) as caught:
            fetch(Published("", file, "", ""), tmp_path, EAGER)
    assert "\n" not in str(caught.value)
    nowhere = replace(file, url="http://host.invalid/f")
    with pytest.raises(FetchError, match=r"no connection to host\.invalid"):
        fetch(Published("", nowhere, "", ""), tmp_path, Transport(delays=()))
    with pytest.raises(FetchError, match="not an http or https address"):
        fetch(Published("", replace(file, url="file:///etc/passwd"), "", ""), tmp_path, EAGER)


def test_a_full_disk_is_one_line(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.npz.part").symlink_to("/dev/full")
    with pytest.raises(FetchError, match=r"file\.npz\.part: cannot be written \(No space left"):
        fetch(published(server), tmp_path, EAGER)
    assert len(server.ranges) == 1


def test_a_disk_too_small_is_said_at_once(server: Server, tmp_path: Path) -> None:
    huge = replace(published(server), file=replace(published(server).file, size=10**18))
    with pytest.raises(
        FetchError, match="1,000,000,000,000,000,000 bytes are needed, and the disk"
    ):
        fetch(huge, tmp_path, EAGER)
    (tmp_path / "file").touch()
    with pytest.raises(FetchError, match="cannot be written"):
        fetch(published(server), tmp_path / "file" / "data", EAGER)
    assert server.ranges == []


IMAGES = {
    "chest_xray/train/NORMAL/IM-0115-0001.jpeg": b"one" * 1000,
    "chest_xray/train/PNEUMONIA/person1_virus_6.jpeg": b"two" * 1000,
}


@pytest.fixture
def zip_server() -> Iterator[Server]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in IMAGES.items():
            archive.writestr(name, content)
    with serving(buffer.getvalue()) as running:
        yield running


def test_a_zip_file_is_unpacked_and_read(zip_server: Server, tmp_path: Path) -> None:
    data = published(zip_server, "data.zip", "data")
    fetched = fetch(data, tmp_path, EAGER)
    assert [row.patient for row in open_data(fetched.path)] == ["IM-0115", "person1"]
    assert not fetch(data, tmp_path, EAGER).fresh
    (tmp_path / "data.zip").unlink()
    assert not fetch(data, tmp_path, EAGER).fresh
    assert len(zip_server.ranges) == 1


def test_a_damaged_zip_file_is_removed_and_the_next_try_is_clean(
    zip_server: Server, tmp_path: Path
) -> None:
    data, whole = published(zip_server, "data.zip", "data"), zip_server.body
    zip_server.body = whole.replace(b"oneone", b"oneONE", 1)
    with pytest.raises(FetchError, match=r"data\.zip: damaged, and removed \(Bad CRC-32 for file"):
        fetch(data, tmp_path, EAGER)
    assert not (tmp_path / "data.zip").exists()
    assert not (tmp_path / "data").exists()
    zip_server.body = whole
    assert fetch(data, tmp_path, EAGER).fresh


def test_the_published_sets_are_complete_entries() -> None:
    for data in DATASETS.values():
        assert data.file.url.startswith("https://")
        assert data.licence == "CC BY 4.0"
        assert "doi:" in data.citation
        assert data.file.md5 is None or re.fullmatch("[0-9a-f]{32}", data.file.md5)
        # Without a publisher's checksum it must be a zip file, which carries its own.
        assert data.file.md5 or data.unpacked
    assert len({data.file.name for data in DATASETS.values()}) == len(DATASETS)


def test_the_command_lists_fetches_and_says_what_is_owed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in ([], ["--list"]):
        listed = CliRunner().invoke(app, ["fetch", *arguments], env={"COLUMNS": "200"})
        assert all(name in listed.output for name in DATASETS)
        assert "1.2 GB" in listed.output
        assert listed.exit_code == 0
    monkeypatch.setattr("lungflag.data.fetch.DATASETS", {"test": published(server)})
    unknown = CliRunner().invoke(app, ["fetch", "gone"])
    assert str(unknown.exception) == "no data set 'gone'; there are test"
    for said in ("file.npz\n", "file.npz: already complete\n"):
        done = CliRunner().invoke(app, ["fetch", "test", "--to", str(tmp_path)])
        assert done.exit_code == 0, done.output
        assert done.stdout == f"{tmp_path}/{said}Licence: CC BY 4.0\nCite: Nobody, 2020\n"
