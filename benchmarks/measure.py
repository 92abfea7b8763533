"""How two programs are measured: in turn, in one session, so that a neighbour's load meets both."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONTESTANTS = Path(__file__).with_name("contestants")
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Attributes
    ----------
    what, beside : str
        What is measured, and what it is compared with.
    ratios : tuple of float
        One a round.
    bar : float
        What the median has to reach; with `most`, what it may not exceed.
    seen : str
        The two medians behind the ratio, with units.
    note : str
        What a reader has to know, or nothing.
    unit : str
        Of `ratios`, where they are no ratios.
    """

    what: str
    beside: str
    ratios: tuple[float, ...]
    bar: float
    seen: str
    note: str = ""
    most: bool = False
    unit: str = ""

    @property
    def value(self) -> float:
        return median(self.ratios)

    @property
    def met(self) -> bool:
        return self.value <= self.bar if self.most else self.value >= self.bar


class Contestant:
    """A program of `contestants/` that works a round whenever it is told to."""

    def __init__(self, python: str, program: str, *arguments: object) -> None:
        # A pipe that nobody reads would fill and block.
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [python, str(CONTESTANTS / program), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env={**os.environ, **QUIET},
        )
        self._expect("ready")

    def round(self) -> float:
        """Return things a second."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._expect())

    def _expect(self, word: str = "") -> str:
        assert self._process.stdout
        for line in self._process.stdout:
            if not word or line.strip() == word:
                return line
        self._process.wait()
        self._said.seek(0)
        raise SystemExit(f"{self._process.args}: ended\n{self._said.read()[-2000:]}")

    def end(self) -> None:
        self._process.communicate()
        self._said.close()


def rates(contestants: Sequence[tuple[object, ...]], rounds: int) -> list[tuple[float, ...]]:
    """Return each contestant's rates, a round of all of them after the other."""
    with ExitStack() as stack:
        running = []
        for words in contestants:
            one = Contestant(str(words[0]), str(words[1]), *words[2:])
            stack.callback(one.end)
            running.append(one)
        seen = [[one.round() for one in running] for _ in range(rounds)]
    return list(zip(*seen, strict=True))


def over(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """Return the ratio of each round."""
    return tuple(a / b for a, b in zip(ours, theirs, strict=True))


def medians(ours: Sequence[float], theirs: Sequence[float], unit: str) -> str:
    return f"{median(ours):.3g} and {median(theirs):.3g} {unit}"


def seconds_of(command: Sequence[object]) -> float:
    """Return how long a command takes, from start to exit."""
    started = perf_counter()
    subprocess.run(
        list(map(str, command)), check=True, capture_output=True, env={**os.environ, **QUIET}
    )
    return perf_counter() - started


# Linux hands a parent's peak memory on to the child that it forks, so that a small process must
# stand between this one and the command.
_BETWEEN = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, capture_output=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def peak_memory_of(command: Sequence[object]) -> float:
    """Return the largest memory of a command, in MiB."""
    words = [sys.executable, "-c", _BETWEEN, *map(str, command)]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


@contextmanager
def linked(films: Sequence[Path], count: int, beside: Path) -> Iterator[Path]:
    """Give a folder with `count` names of the films."""
    with tempfile.TemporaryDirectory(dir=beside) as name:
        for number in range(count):
            film = films[number % len(films)]
            link = Path(name) / f"{number // 1000:03d}" / f"{number:06d}{film.suffix}"
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(film)
        yield Path(name)
