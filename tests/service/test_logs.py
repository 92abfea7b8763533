from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from lungflag.errors import LedgerError
from lungflag.service.logs import start_logging

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "Müller^Zoë"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave logging as it was found."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    hooks = sys.excepthook, threading.excepthook
    yield
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_json_with_its_extras(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("info")
    log = logging.getLogger("lungflag.service.worker")
    log.debug("unseen")
    log.info("judged", extra={"job": 7, "flagged": True, "seconds": 0.25})
    (line,) = _lines(capsys)
    assert line.pop("time").endswith("+00:00")
    assert line.pop("process") > 0
    assert line == {
        "level": "info", "logger": "lungflag.service.worker", "message": "judged",
        "job": 7, "flagged": True, "seconds": 0.25,
    }  # fmt: skip


def test_what_other_libraries_quote_is_withheld(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("debug")
    logging.getLogger("pydicom").warning("Invalid value %s", SECRET, extra={"name_": SECRET})
    logging.getLogger("pynetdicom.acse").error(SECRET)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(SECRET, stacklevel=1)
    lines = _lines(capsys)
    assert [line["logger"] for line in lines] == ["pydicom", "pynetdicom.acse", "py.warnings"]
    assert SECRET not in json.dumps(lines, ensure_ascii=False)
    assert lines[0]["place"].startswith("test_logs:")


def test_an_error_tells_its_place_and_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("info")
    log = logging.getLogger("lungflag.service")

    def fail(name: str) -> None:
        raise ValueError(name)

    try:
        fail(SECRET)
    except ValueError:
        log.exception("an object could not be taken in")
    try:
        raise LedgerError("the ledger is away")
    except LedgerError:
        log.exception("it waits")
    foreign, ours = _lines(capsys)
    assert foreign["error"] == "ValueError"
    assert foreign["stack"][-1].startswith("test_logs.py:")
    assert foreign["stack"][-1].endswith(" fail")
    assert SECRET not in json.dumps(foreign, ensure_ascii=False)
    assert ours["error"] == "LedgerError: the ledger is away"


def test_what_nobody_catches_is_told_without_its_words() -> None:
    code = (
        "import threading; from lungflag.service.logs import start_logging\n"
        "start_logging('info')\n"
        f"def fail(): raise ValueError({SECRET!r})\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join(); fail()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["message"], line["error"]) for line in lines] == [
        ("uncaught error", "ValueError")
    ] * 2
    assert all(line["stack"][-1].endswith(" fail") for line in lines)


def test_a_process_writes_to_standard_error_only() -> None:
    code = (
        "import logging; from lungflag.service.logs import start_logging\n"
        "start_logging('warning'); logging.getLogger('lungflag.x').warning('one\\ntwo %s', 'ü')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["message"] == "one\ntwo ü"
