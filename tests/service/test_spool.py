from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from lungflag.errors import ConfigurationError, SpoolFullError
from lungflag.service.spool import DAY, HOUR, Spool, Stored
from tests.service.disks import small_disk


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")


def _age(path: Path, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(path, (at, at))


def test_an_object_is_kept_by_its_content(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    stored = spool.put(b"one")
    assert stored.sha256 == sha256(b"one").hexdigest()
    assert stored.size == 3
    assert (tmp_path / stored.path).read_bytes() == b"one"
    assert spool.put(b"one") == stored
    assert _files(tmp_path) == [tmp_path / stored.path]


def test_many_threads_may_store_the_same_and_others(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    contents = [bytes([n % 7]) * 100_000 for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(spool.put, contents))
    assert all((tmp_path / s.path).read_bytes() == c for s, c in zip(stored, contents, strict=True))
    assert len(_files(tmp_path)) == 7


def test_nothing_is_taken_below_the_room_that_stays_free(tmp_path: Path) -> None:
    free = Spool(tmp_path).free_mib()
    with pytest.raises(SpoolFullError, match=r"no room on the disk: \d+ MiB are free, of which"):
        Spool(tmp_path, keep_free_mib=free + 1000).put(b"one")
    assert _files(tmp_path) == []


@pytest.mark.parametrize("limit", ["size=3m", "size=100m,nr_inodes=290"])
def test_a_full_disk_refuses_and_leaves_nothing(tmp_path: Path, limit: str) -> None:
    with small_disk(tmp_path / "disk", limit) as small:
        spool, kept = Spool(small), list[Stored]()
        with pytest.raises(SpoolFullError, match="no room on the disk"):
            kept.extend(spool.put(bytes([n]) * 100_000) for n in range(100))
        assert len(kept) > 5
        assert len(_files(small)) == len(kept)
        assert all(sha256((small / s.path).read_bytes()).hexdigest() == s.sha256 for s in kept)


_STORE = """
import sys
from pathlib import Path
from lungflag.service.spool import Spool
spool = Spool(Path(sys.argv[1]))
n = 0
while True:
    print(spool.put(n.to_bytes(4) * 500_000).path, flush=True)
    n += 1
"""


def test_a_killed_writer_loses_nothing_that_it_reported(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _STORE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        reported = [writer.stdout.readline().strip() for _ in range(3)]
        writer.send_signal(signal.SIGKILL)
        reported += writer.stdout.read().split()
    Spool(tmp_path)
    assert not list((tmp_path / "tmp").glob("*.part"))
    for path in reported:
        content = (tmp_path / path).read_bytes()
        assert sha256(content).hexdigest() == Path(path).stem


def test_what_living_processes_write_stays(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    ours = tmp_path / "tmp" / f"{os.uname().nodename}-{os.getpid()}-a.part"
    foreign = tmp_path / "tmp" / "other-machine-1-a.part"
    forgotten = tmp_path / "tmp" / "other-machine-1-b.part"
    for path in (ours, foreign, forgotten):
        path.write_bytes(b"half")
    _age(forgotten, 2 * DAY)
    Spool(tmp_path)
    assert _files(tmp_path) == sorted([ours, foreign])


def test_only_what_was_not_written_lately_is_removed(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    stored = spool.put(b"one")
    assert not spool.remove(stored.path)
    assert list(spool.old()) == []
    _age(tmp_path / stored.path, 2 * DAY)
    assert list(spool.old()) == [stored.path]
    spool.put(b"one")  # comes again, and is about to get its row
    assert not spool.remove(stored.path)
    _age(tmp_path / stored.path, 2 * HOUR)
    assert spool.remove(stored.path)
    assert spool.remove(stored.path)
    assert _files(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"file/below: cannot be written \(Not a dir"):
        Spool(tmp_path / "file" / "below")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put(b"0")
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    for n in range(20):
        spool.put(bytes([n]))
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) <= before
