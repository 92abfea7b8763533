"""The killable child, by its parent's end."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lungflag.errors import PackageError
from lungflag.phantom import make_phantom, to_dicom, write_dicom
from lungflag.service.judge import ChildLostError, Judge
from lungflag.service.results import NAMES
from lungflag.service.tasks import Setup, Task
from tests.service import poison
from tests.service.processes import children
from tests.service.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

CHILD = "lungflag.service.child"
ENDLESS = 8_000_000
"""Elements behind the pixels of an object that takes many times the limit to read."""
KNOWN = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID")


def make_judge(*, memory_mib: int = 1024, seconds: float = 60, version: str = "1.1.0") -> Judge:
    setup = Setup("phantom", "", 1, memory_mib, os.getpid())
    return Judge(setup, name="phantom", version=version, seconds=seconds)


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    one = make_judge()
    one.start()
    yield one
    one.kill()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.dcm"
    write_dicom(make_phantom(3, pneumonia=True, size=192), path)
    return path


def a_task(film: Path, folder: Path, number: int = 1, **more: Any) -> Task:
    header = to_dicom(make_phantom(3, pneumonia=True, size=192))
    known = {keyword: str(header[keyword].value) for keyword in KNOWN}
    at = "2026-03-01T12:00:00+00:00"
    return Task(number, str(film), str(folder / f"{number}.tmp"), at, known, **more)


def test_a_repeat_makes_the_same_bytes(judge: Judge, film: Path, tmp_path: Path) -> None:
    replies = []
    for number in (1, 2):
        judge.put(a_task(film, tmp_path, number))
        replies.append(judge.take(lambda: None))
    assert [reply.error for reply in replies] == ["", ""]
    assert replies[0].rendered == replies[1].rendered
    assert replies[0].outcome["flagged"]
    for name in NAMES.values():
        assert (tmp_path / "1.tmp" / name).read_bytes() == (tmp_path / "2.tmp" / name).read_bytes()


@pytest.mark.parametrize("source", ["header", "row"])
def test_an_instance_is_given_up_without_its_pixels(
    judge: Judge, film: Path, tmp_path: Path, source: Any
) -> None:
    path = film if source == "header" else tmp_path / "nothing"
    judge.put(a_task(path, tmp_path, source=source, reason="it failed"))
    reply = judge.take(lambda: None)
    assert (reply.error, reply.outcome["code"]) == ("", "unexpected")
    assert [one.kind for one in reply.rendered] == ["sr", "fhir"]


def test_an_object_that_is_gone_is_the_instances_fault_and_a_full_disk_is_not(
    judge: Judge, film: Path, tmp_path: Path
) -> None:
    judge.put(a_task(tmp_path / "nothing", tmp_path))
    reply = judge.take(lambda: None)
    assert (reply.error[:18], reply.environment) == ("the object is gone", False)
    (tmp_path / "file").write_text("in the way")
    judge.put(a_task(film, tmp_path / "file"))
    reply = judge.take(lambda: None)
    assert (reply.error[:25], reply.environment) == ("results cannot be written", True)


@pytest.mark.parametrize("bad", [poison.cut_short, poison.absurd])
def test_a_damaged_object_is_rejected(judge: Judge, tmp_path: Path, bad: Any) -> None:
    path = tmp_path / "bad.dcm"
    path.write_bytes(bad())
    judge.put(a_task(path, tmp_path))
    reply = judge.take(lambda: None)
    assert reply.outcome["code"] in {"unreadable", "not-a-radiograph"}


def test_tasks_are_done_in_their_order(judge: Judge, film: Path, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        judge.put(a_task(film, tmp_path, number))
    assert judge.waiting == 3
    assert [judge.take(lambda: None).number for _ in range(3)] == [1, 2, 3]


def test_memory_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "huge.dcm"
    path.write_bytes(poison.huge())
    judge = make_judge(memory_mib=352)
    judge.start()
    try:
        judge.put(a_task(path, tmp_path))
        reply = judge.take(lambda: None)
        assert reply.outcome["code"] in {"unexpected", "unreadable"}
    finally:
        judge.kill()


def test_a_child_that_overruns_or_dies_is_replaced(film: Path, tmp_path: Path) -> None:
    path = tmp_path / "slow.dcm"
    path.write_bytes(poison.long_tailed(ENDLESS))
    judge, before = make_judge(seconds=3.0), children(os.getpid(), CHILD)
    judge.start()
    first = children(os.getpid(), CHILD)
    assert len(first) == len(before) + 1
    judge.put(a_task(path, tmp_path))
    judge.put(a_task(film, tmp_path, 2))
    with pytest.raises(ChildLostError, match="took longer than 3 s") as lost:
        judge.take(lambda: None)
    assert lost.value.task.number == 1
    assert judge.waiting == 0
    judge.start()
    second = children(os.getpid(), CHILD)
    assert len(second) == len(first)
    assert second != first
    (child,) = set(second) - set(before)
    os.kill(child, signal.SIGTERM)  # to the whole group, from systemd: not for the child
    judge.put(a_task(film, tmp_path))
    assert judge.take(lambda: None).error == ""
    os.kill(child, signal.SIGKILL)
    judge.put(a_task(film, tmp_path))
    with pytest.raises(ChildLostError, match="was ended by SIGKILL"):
        judge.take(lambda: None)
    assert children(os.getpid(), CHILD) == before


def test_a_model_that_does_not_load_or_was_replaced_is_an_error() -> None:
    with pytest.raises(PackageError, match="phantom: the package was replaced"):
        make_judge(version="9.9.9").start()
    with pytest.raises(PackageError, match="phantom: takes more than memory_mib, 16"):
        make_judge(memory_mib=16).start()


def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "slow.dcm"
    path.write_bytes(poison.long_tailed(ENDLESS))
    parent = os.fork()
    if parent == 0:
        judge = Judge(
            Setup("phantom", "", 1, 1024, os.getpid()), name="phantom", version="1.1.0", seconds=60
        )
        judge.start()
        judge.put(a_task(path, tmp_path))
        signal.pause()
    until(lambda: children(parent, CHILD), what="a child")
    (child,) = children(parent, CHILD)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    until(lambda: not Path(f"/proc/{child}").exists(), what="the child's end")
