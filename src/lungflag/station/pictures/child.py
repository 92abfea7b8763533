"""The killable child that decodes radiographs for viewers, within limits of memory and of time.

It reads lines of JSON from standard input and answers on the pipe whose number it is given: a line
for each picture that it has written, so that the first one can be shown while it is at the next.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from lungflag.errors import InputError
from lungflag.radiograph import dicom, read_radiograph
from lungflag.radiograph.files import load
from lungflag.radiograph.sniff import Format, recognise
from lungflag.service.process import die_with_parent
from lungflag.station.pictures.picture import Description, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_SAMPLES = 250_000  # levels that are looked at for a window, where the header has none


def main() -> int:
    """Run the child: ``python -m lungflag.station.pictures.child FD``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as replies:
        setup = json.loads(sys.stdin.readline())
        die_with_parent(signal.SIGKILL, setup["parent"])
        size = setup["memory_mib"] * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold a patient's pixels
        _say(replies, {"ready": True})
        for line in sys.stdin:
            _carry_out(json.loads(line), replies)
    return 0


def _carry_out(task: Mapping[str, Any], replies: IO[str]) -> None:
    """Write the pictures that are asked for, in their order."""
    try:
        levels, window, spacing = _read(Path(task["path"]))
        center, width = window or _window(levels)
        for side, target in task["pictures"]:
            factor = -(-max(levels.shape) // side) if side else 1
            reduced = _reduced(levels, factor)
            description = Description(
                rows=reduced.shape[0],
                columns=reduced.shape[1],
                full_rows=levels.shape[0],
                full_columns=levels.shape[1],
                center=center,
                width=width,
                spacing=spacing and (spacing[0] * factor, spacing[1] * factor),
            )
            write(Path(target), reduced, description)
            _say(replies, {"side": side})
    except InputError as error:
        _say(replies, {"failed": error.reason})
    except MemoryError:
        _say(replies, {"failed": "takes too much memory"})
    except OSError as error:
        _say(replies, {"failed": error.strerror or "cannot be read", "environment": True})
    except Exception as error:  # one picture must not end the line
        _say(replies, {"failed": f"cannot be decoded ({type(error).__name__})"})
    else:
        _say(replies, {"done": True})


def _read(
    path: Path,
) -> tuple[NDArray[np.uint16], tuple[float, float] | None, tuple[float, float] | None]:
    data = load("the object", path)
    if recognise("the object", data) is Format.DICOM:
        return dicom.read_levels("the object", dicom.parse("the object", data))
    pixels = read_radiograph(data, name="the object").pixels
    return np.rint(pixels * 65_535).astype(np.uint16), None, None


def _window(levels: NDArray[np.uint16]) -> tuple[float, float]:
    """Return a window that shows nearly all levels that there are."""
    step = max(1, int((levels.size / _SAMPLES) ** 0.5))
    low, high = np.percentile(levels[::step, ::step], (0.5, 99.5))
    width = max(float(high - low), 256.0)
    return float(low + high) / 2, width


def _reduced(levels: NDArray[np.uint16], factor: int) -> NDArray[np.uint16]:
    """Return the means of squares of `factor` pixels; what is left over at the edges goes."""
    if factor == 1:
        return levels
    rows, columns = (max(1, size // factor) for size in levels.shape)
    inside = levels[: rows * factor, : columns * factor]
    total = np.zeros((rows, columns), dtype=np.uint32)
    for row in range(factor):
        lines = inside[row::factor]
        for column in range(factor):
            total += lines[:, column::factor]
    return (total // factor**2).astype(np.uint16)


def _say(replies: IO[str], answer: Mapping[str, Any]) -> None:
    replies.write(json.dumps(answer) + "\n")
    replies.flush()


if __name__ == "__main__":
    sys.exit(main())
