"""One part of `lungflag serve` as a process: it takes its order from standard input.

The order is a line of JSON: the settings, and the parent's process id. When the part
is ready it says so in a line of JSON on standard output. SIGTERM ends it in good order, and so
does the death of its parent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lungflag.errors import LungflagError
from lungflag.service.ledger import Ledger
from lungflag.service.logs import start_logging
from lungflag.service.process import die_with_parent, stop_on_signals
from lungflag.service.settings import Settings, Target, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lungflag.service.process import Stop

    Parts = Mapping[str, Callable[[Settings, Stop, "Ready"], None]]


class Ready(Protocol):
    """Called by a part as soon as it is ready."""

    def __call__(self, facts: Mapping[str, Any], /) -> None:
        """Say so, with facts about it."""


def order(settings: Settings) -> str:
    """Return the order, to be written by the parent that starts a part."""
    values = {item.name: _plain(getattr(settings, item.name)) for item in fields(Settings)}
    return json.dumps({"settings": values, "parent": os.getpid()}) + "\n"


def main() -> int:
    """Run a part: ``python -m lungflag.service.part NAME``."""
    return run_part(_PARTS)


def run_part(parts: Parts) -> int:
    """Run the part that the command line names, and return the process's exit code."""
    ordered = json.loads(sys.stdin.readline())
    die_with_parent(signal.SIGTERM, ordered["parent"])
    stop = stop_on_signals(interrupt=False)
    settings = load_settings(None, {}, ordered["settings"])
    start_logging(settings.log_level)
    try:
        parts[sys.argv[1]](settings, stop, _say)
    except LungflagError as error:
        _say({"failed": str(error)})
        return 2
    return 0


def _node(settings: Settings, stop: Stop, ready: Ready) -> None:
    from lungflag.service.front import run_front

    run_front(settings, stop, lambda front: ready({"listeners": front.listeners()}))


def _worker(settings: Settings, stop: Stop, ready: Ready) -> None:
    from lungflag.service.worker import Worker

    with Ledger.open(settings.database_url) as ledger:
        Worker(settings, ledger).run(stop, lambda: ready({}))


def _sender(settings: Settings, stop: Stop, ready: Ready) -> None:
    from lungflag.service.deliver.sender import send

    with Ledger.open(settings.database_url) as ledger:
        ready({})
        send(settings, ledger, stop)


_PARTS: Parts = {
    "node": _node,
    "worker": _worker,
    "sender": _sender,
}


def _say(facts: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    """Return a setting's value as it may stand in JSON, and be read back from it."""
    if isinstance(value, Path):
        return str(value.absolute())
    if value is None:
        return ""
    if isinstance(value, Target):
        return {
            item.name: _plain(getattr(value, item.name))
            for item in fields(Target)
            if item.default is MISSING or getattr(value, item.name) != item.default
        }
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


if __name__ == "__main__":
    sys.exit(main())
