"""Object storage, for real: an S3 server on loopback, and s3fs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from lungflag.bulk.storage import open_storage
from lungflag.errors import BulkError
from tests.bulk.archives import archive, rows, shards, start
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lungflag.package import ModelPackage

pytestmark = pytest.mark.slow


def _port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def _answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


# In a process of its own, for botocore leaves files open.
_UPLOAD = """
import sys, s3fs
storage = s3fs.S3FileSystem()
storage.mkdir("films")
storage.put(sys.argv[1] + "/", "films/", recursive=True)
"""


@contextmanager
def s3(bucket: Path) -> Iterator[tuple[dict[str, str], subprocess.Popen[bytes]]]:
    """Serve a folder as s3://films; yield what a client's environment needs, and the server."""
    port = _port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    environment = {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_MAX_ATTEMPTS": "1",
    }
    try:
        until(lambda: _answers(port), what="the S3 server")
        subprocess.run(
            [sys.executable, "-c", _UPLOAD, str(bucket)],
            check=True,
            env={**os.environ, **environment},
        )
        yield environment, server
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def model(tiny_package: ModelPackage) -> Path:
    assert tiny_package.folder is not None
    return tiny_package.folder


def test_a_bucket_gives_the_rows_that_its_files_give(model: Path, tmp_path: Path) -> None:
    films = archive(tmp_path / "bucket" / "archive", 60)
    (tmp_path / "bucket" / "list.csv").write_text(
        "path\narchive/year 0/000001.png\narchive/gone.png\n", encoding="utf-8"
    )
    here, there, some = tmp_path / "here", tmp_path / "there", tmp_path / "some"
    start(films, "--engine", "local", "--table", here, model=model).communicate()
    with s3(tmp_path / "bucket") as (known, _):
        run = start("s3://films/archive", "--resume", "--table", there, model=model, **known)
        out, err = run.communicate()
        assert run.returncode == 1, err
        assert "60 inputs in" in out
        words = ("s3://films/archive/*/00001*.png", "s3://films/list.csv")
        run = start(*words, "--resume", "--table", some, model=model, **known)
        _, err = run.communicate()
        assert run.returncode == 1, err
    found = {
        row["path"].replace("s3://films/archive", str(films)): {**row, "path": ""}
        for row in rows(there)
    }
    assert found == {row["path"]: {**row, "path": ""} for row in rows(here)}
    assert len(rows(some)) == 12
    lost = next(row for row in rows(some) if row["path"] == "s3://films/archive/gone.png")
    assert (lost["code"], lost["reason"]) == ("unreadable", "no such object")


def test_storage_that_goes_away_makes_no_rejections(model: Path, tmp_path: Path) -> None:
    archive(tmp_path / "bucket" / "archive", 600)
    words = ("s3://films/archive", "--resume", "--batch", 8, "--table", tmp_path / "out")
    with s3(tmp_path / "bucket") as (known, server):
        run = start(*words, model=model, **known)
        until(lambda: shards(tmp_path / "out"), what="the first shard")
        server.kill()
        _, err = run.communicate(timeout=300)
    assert run.returncode == 2
    assert "cannot be fetched" in err
    assert "with --resume goes on" in err
    rejected = [row["path"] for row in rows(tmp_path / "out") if row["outcome"] == "rejection"]
    assert rejected == ["s3://films/archive/notes.txt"]


def test_a_missing_package_for_a_url_is_named() -> None:
    with pytest.raises(BulkError, match="gs:// needs another package: pip install 'gcsfs'"):
        open_storage("gs://bucket/film.dcm")
