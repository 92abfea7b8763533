"""A decoded radiograph in a file: one line that describes it, and its levels."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

SIDES = (256, 512, 1024, 2048, 4096)
"""Longer sides, in pixels, at which there are reduced pictures."""

_HEAD = 512  # bytes of the description, padded
_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class Description:
    """What a viewer has to know of a picture.

    Attributes
    ----------
    rows, columns : int
        Of the picture.
    full_rows, full_columns : int
        Of the radiograph that it may be a reduced copy of.
    center, width : float
        The window to begin with, in levels of 0 to 65535.
    spacing : tuple of two floats, or None
        Millimetres between the picture's rows and between its columns.
    """

    rows: int
    columns: int
    full_rows: int
    full_columns: int
    center: float
    width: float
    spacing: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's file and its description.

    Attributes
    ----------
    path : Path
        The file; it may be deleted at any time, but not changed.
    description : Description
        What it is.
    """

    path: Path
    description: Description

    @property
    def size(self) -> int:
        """Bytes of the levels: little-endian, 16 bits each, row by row."""
        return 2 * self.description.rows * self.description.columns

    @classmethod
    def open(cls, path: Path) -> Picture | None:
        """Return the picture in a file, or None where there is none."""
        try:
            with path.open("rb") as file:
                fields = json.loads(file.read(_HEAD))
        except (FileNotFoundError, ValueError):
            return None
        spacing = fields["spacing"] and tuple(fields["spacing"])
        return cls(path, Description(**{**fields, "spacing": spacing}))

    def pieces(self) -> Iterator[bytes]:
        """Yield the levels."""
        with self.path.open("rb") as file:
            file.seek(_HEAD)
            while piece := file.read(_PIECE):
                yield piece


def side_for(most: int | None) -> int:
    """Return the largest of `SIDES` up to `most`, the smallest if there is none; 0 for all."""
    if most is None:
        return 0
    return max((side for side in SIDES if side <= most), default=SIDES[0])


def write(path: Path, levels: NDArray[np.uint16], description: Description) -> None:
    """Write a picture; a reader sees all of it or nothing."""
    scratch = path.with_suffix(".tmp")
    head = json.dumps(asdict(description)).encode().ljust(_HEAD)
    if len(head) != _HEAD:
        raise ValueError("the description is too long")
    with scratch.open("wb") as file:
        file.write(head)
        levels.astype("<u2", copy=False).tofile(file)
    scratch.rename(path)
