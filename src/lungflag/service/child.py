"""The killable child: it alone decodes foreign pixels, within limits of memory and of time.

One process, started by `lungflag.service.judge`. It reads a `Setup` and then `Task` after `Task`
as lines of JSON from standard input, and answers each with one line on the pipe whose number it
is given. It writes what came out into the task's folder and touches neither database nor network:
whatever a hostile object makes of it, nothing but itself is lost.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from base64 import b64encode
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any

from pydicom import Dataset, dcmread
from pydicom.uid import DigitalXRayImageStorageForPresentation

from lungflag._session import one_line
from lungflag.detector import Detector
from lungflag.errors import LungflagError
from lungflag.outcome import Finding, Rejection
from lungflag.service.amend import amend
from lungflag.service.process import die_with_parent
from lungflag.service.render import render
from lungflag.service.tasks import PLAIN, Reply, Setup, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from lungflag.outcome import Outcome
    from lungflag.radiograph import Radiograph
    from lungflag.service.results import Rendered

HEADER_BYTES = 2**20
"""Elements larger than this are left on disk when a header is read: no header holds one."""

_HALF = 65_504.0  # the largest float16
_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_NOBODY = {**dict.fromkeys(_UIDS, "2.25.0"), "SOPClassUID": DigitalXRayImageStorageForPresentation}


def main() -> int:
    """Run the child: ``python -m lungflag.service.child FD``."""
    # What a terminal or systemd sends to the whole group is for the parent: it ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as replies:
        setup = Setup(**json.loads(sys.stdin.readline()))
        die_with_parent(signal.SIGKILL, setup.parent)
        _limit(setup.memory_mib)
        try:
            detector = Detector.load(setup.model, threads=setup.threads)
            detector.package.operating_point(setup.operating_point or None)
            _warm_up(detector, setup.operating_point or None)
        except LungflagError as error:
            _say(replies, {"failed": one_line(error)})
            return 2
        except MemoryError:
            _say(replies, {"failed": f"takes more than memory_mib, {setup.memory_mib}"})
            return 2
        except Exception as error:
            _say(replies, {"failed": f"{type(error).__name__}: {one_line(error)}"})
            return 2
        package, runs_on = detector.package, detector.provider
        _say(replies, {"name": package.name, "version": package.version, "provider": runs_on})
        for line in sys.stdin:
            task = Task(**json.loads(line))
            _say(replies, asdict(carry_out(task, detector, setup.operating_point or None)))
    return 0


def carry_out(task: Task, detector: Detector, operating_point: str | None) -> Reply:
    """Judge and render one task. Whatever goes wrong becomes a Reply with an error."""
    try:
        if task.amendment is not None:
            return Reply(task.number, rendered=amend(task, _source(task), detector.package))
        radiographs: list[Radiograph] = []
        outcome = _outcome(task, detector, operating_point, radiographs)
        rendered, note = _render(task, outcome, radiographs, detector)
    except FileNotFoundError as error:
        return Reply(task.number, error=f"the object is gone ({error.strerror})")
    except OSError as error:
        reason = f"results cannot be written ({error.strerror or error})"
        return Reply(task.number, error=reason, environment=True)
    except Exception as error:  # one instance must not end the line
        return Reply(task.number, error=_without_words(error))
    arrays = _arrays(outcome) if isinstance(outcome, Finding) else {}
    return Reply(task.number, _plain(outcome), rendered, note, arrays=arrays)


def _warm_up(detector: Detector, operating_point: str | None) -> None:
    """Write a result once: what loads with it is not to count as the first instance's time."""
    package, point = detector.package, detector.package.operating_point(operating_point)
    outcome = Rejection("", "unexpected", "", point.name, package.name, package.version, 0.0)
    at = datetime(2000, 1, 1, tzinfo=UTC)
    with TemporaryDirectory(prefix="lungflag-") as folder:
        render(outcome, _from_row(_NOBODY), None, package, at, Path(folder) / "1.tmp")


def _outcome(
    task: Task, detector: Detector, operating_point: str | None, radiographs: list[Radiograph]
) -> Outcome:
    name = task.known["SOPInstanceUID"]
    if task.source != "pixels":
        package, point = detector.package, detector.package.operating_point(operating_point)
        return Rejection(
            name, "unexpected", task.reason, point.name, package.name, package.version, 0.0
        )
    path = Path(task.path)
    path.stat()  # a file that is gone is no unreadable radiograph
    (outcome,) = detector.detect_many(
        [path],
        operating_point=operating_point,
        on_finding=lambda radiograph, _: radiographs.append(radiograph),
    )
    return replace(outcome, source=name)


def _render(
    task: Task, outcome: Outcome, radiographs: list[Radiograph], detector: Detector
) -> tuple[tuple[Rendered, ...], str]:
    """Write the results; where the header cannot be used, with what the ledger knows instead."""
    at, folder = datetime.fromisoformat(task.at), Path(task.folder)
    picture = radiographs[0] if radiographs else None
    row = _from_row(task.known)
    if task.source == "row" or task.raster:
        return render(outcome, row, picture, detector.package, at, folder), ""
    try:
        header = _header(task)
        return render(outcome, header, picture, detector.package, at, folder), ""
    except OSError:
        raise
    except Exception as error:  # the header is foreign too; a finding is worth more than it
        note = f"the header could not be used: {_without_words(error)}"
        return render(outcome, row, picture, detector.package, at, folder), note


def _source(task: Task) -> Dataset:
    """Return the header, or what the ledger knows: pixels and header may have been deleted."""
    if task.raster or task.source == "row":
        return _from_row(task.known)
    try:
        return _header(task)
    except Exception:  # foreign; what the reader says is worth more than it
        return _from_row(task.known)


def _header(task: Task) -> Dataset:
    """Return the object without its pixels, with the UIDs under which it was received."""
    header = dcmread(task.path, force=True, stop_before_pixels=True, defer_size=HEADER_BYTES)
    for keyword in _UIDS:
        setattr(header, keyword, task.known[keyword])
    return header


def _from_row(known: Mapping[str, str]) -> Dataset:
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in known.items():
        setattr(header, keyword, value)
    return header


def _without_words(error: Exception) -> str:
    """Return an error's class and place: its words may quote the header, and logs are read."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"


def _plain(outcome: Outcome) -> dict[str, Any]:
    kind = "finding" if isinstance(outcome, Finding) else "rejection"
    return {name: getattr(outcome, name) for name in PLAIN[kind]}


def _arrays(finding: Finding) -> dict[str, Any]:
    """Return what the ledger keeps for viewers and for the measures of drift."""
    rows, columns = finding.heatmap.shape
    return {
        "heatmap": _halved(finding.heatmap),
        "heatmap_rows": rows,
        "heatmap_columns": columns,
        "embedding": _halved(finding.embedding),
        "grey_mean": finding.grey_mean,
        "grey_std": finding.grey_std,
    }


def _halved(array: NDArray[np.float32]) -> str:
    return b64encode(array.clip(-_HALF, _HALF).astype("<f2").tobytes()).decode()


def _limit(memory_mib: int) -> None:
    """Limit the process's data, and write no core file: it would hold a patient's pixels."""
    size = memory_mib * 2**20
    # Not RLIMIT_AS: threads and libraries reserve address space that they never use.
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _say(replies: IO[str], answer: Mapping[str, Any]) -> None:
    replies.write(json.dumps(answer) + "\n")
    replies.flush()


if __name__ == "__main__":
    sys.exit(main())
