"""The films of both hospitals as squares of bytes, split by patient."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import numpy as np
from PIL import Image
from volumes import SIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_PATIENT = re.compile(r"(?:(NORMAL2-IM|IM)-\d+|person\d+)")


class Film(NamedTuple):
    """One radiograph."""

    path: Path
    hospital: str
    patient: str

    @property
    def part(self) -> str:
        """``proof`` for one patient in five, ``tune`` for another, and ``fit``."""
        return {0: "proof", 1: "tune"}.get(crc32(self.patient.encode()) % 5, "fit")

    def square(self) -> NDArray[np.uint8]:
        """Return the pixels, squashed to `SIDE`."""
        with Image.open(self.path) as image:
            grey = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            return np.asarray(grey)


def guangzhou(data: Path) -> Iterator[Film]:
    """Yield the films of the Guangzhou children."""
    for path in sorted((data / "kermany224" / "train").rglob("*.jpeg")):
        found = _PATIENT.match(path.stem)
        assert found, path
        yield Film(path, "guangzhou", found[0])


def nih(data: Path) -> Iterator[Film]:
    """Yield the films of the NIH adults."""
    folder = data / "nih_adults"
    with (folder / "manifest.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield Film(folder / row["file"], "nih", row["patient"])


def some(films: list[Film], count: int, rng: np.random.Generator) -> list[Film]:
    """Return up to `count` films, one or a few of each patient."""
    order = rng.permutation(len(films))
    return [films[k] for k in sorted(order[:count])]
