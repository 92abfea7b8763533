"""Logs: a line of JSON on standard error for each event, without patient data.

What lungflag itself says is written as it is: it names jobs, never patients. Other libraries quote
what they were given, which may be a patient's name, so only the place is told where they spoke.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lungflag.errors import LungflagError

if TYPE_CHECKING:
    from types import TracebackType

_OURS = "lungflag"
# What every record has; the rest is what the caller put into `extra`.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_DEEPEST = 30  # frames of a stack


def start_logging(level: str) -> None:
    """Write this process's logs to standard error from now on.

    Parameters
    ----------
    level : str
        The least level that is written: ``debug``, ``info``, ``warning`` or ``error``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in (
        "pydicom",
        "pynetdicom",
        "sqlalchemy",
        "alembic",
        "uvicorn",
        "httpx2",
        "httpcore2",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda ended: _uncaught(
        ended.exc_type, ended.exc_value or ended.exc_type(), ended.exc_traceback
    )


class JsonLines(logging.Formatter):
    """Turns a record into a line of JSON: time, level, process, logger, message, and its extras."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": os.getpid(),
            "logger": record.name,
        }
        if record.name.partition(".")[0] == _OURS:
            line["message"] = record.getMessage()
            line |= {key: value for key, value in vars(record).items() if key not in _USUAL}
        else:
            line["message"] = "(another library's words are withheld: they may name a patient)"
            line["place"] = f"{record.module}:{record.lineno}"
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _error(record.exc_info[1])
            line["stack"] = _stack(record.exc_info[2])
        return json.dumps(line, ensure_ascii=False, default=str)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log what ends a thread or the process: a plain traceback would quote values."""
    if not issubclass(kind, KeyboardInterrupt):
        logging.getLogger(_OURS).critical("uncaught error", exc_info=(kind, error, trace))


def _error(error: BaseException) -> str:
    """Return an error's class, with its words where they are ours."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, LungflagError) else name


def _stack(trace: TracebackType | None) -> list[str]:
    """Return where an error came from, innermost last, without the values that were at hand."""
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{os.path.basename(code.co_filename)}:{trace.tb_lineno} {code.co_name}")  # noqa: PTH119
        trace = trace.tb_next
    return places[-_DEEPEST:]
