"""The geometry of a parallel beam: a pixel grid, path lengths along its rays, blur and noise.

A chest film is taken from 180 cm, so that magnification changes by about one part in ten across
the chest; the beam is taken as parallel. Rays run along z.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lungflag.phantom.patient import Acquisition

    Plane = NDArray[np.floating[Any]]
    Points = NDArray[np.float64]


class Interval(NamedTuple):
    """The part of every ray between depths `start` and `end`; empty where they meet."""

    start: Plane
    end: Plane

    @property
    def length(self) -> Plane:
        """Path length in centimetres, shape (size, size)."""
        return np.maximum(self.end - self.start, 0)

    def at(self, inside: NDArray[np.bool_]) -> Interval:
        """Return the rays where `inside` is true, in one row."""
        return Interval(self.start[inside], self.end[inside])

    def within(self, other: Interval) -> Interval:
        """Return the part that lies inside `other`."""
        return Interval(np.maximum(self.start, other.start), np.minimum(self.end, other.end))


def union_length(parts: Sequence[Interval]) -> Plane:
    """Return the length of every ray that lies in at least one of the `parts`."""
    starts = np.stack([part.start for part in parts])
    ends = np.stack([np.maximum(part.end, part.start) for part in parts])
    order = np.argsort(starts, axis=0)
    starts = np.take_along_axis(starts, order, axis=0)
    ends = np.take_along_axis(ends, order, axis=0)
    reach = starts[0]
    total: Plane = np.zeros_like(reach)
    for start, end in zip(starts, ends, strict=True):
        total += np.maximum(end - np.maximum(start, reach), 0)
        reach = np.maximum(reach, end)
    return total


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The detector's pixels and where their rays pass the patient.

    Attributes
    ----------
    size : int
        Rows and columns.
    pitch : float
        Side of a pixel in centimetres.
    x, y : Plane
        Patient coordinates of the rays: x to the patient's left (the image's right), y down from
        the tracheal bifurcation.
    """

    size: int
    pitch: float
    x: Plane
    y: Plane
    how: Acquisition

    @classmethod
    def of(cls, how: Acquisition, size: int) -> Grid:
        """Lay `size` x `size` pixels over the field of `how`."""
        pitch = how.field / size
        line = (np.arange(size, dtype=np.float32) + 0.5 - size / 2) * np.float32(pitch)
        across, down = np.meshgrid(line - np.float32(how.dx), line - np.float32(how.dy))
        c, s = np.float32(cos(how.tilt)), np.float32(sin(how.tilt))
        return cls(size, pitch, c * across + s * down, c * down - s * across, how)

    def shift(self, depth: float) -> float:
        """Return how far the patient's turn moves what lies at z = `depth` along x."""
        return depth * sin(self.how.turn)

    def splat(self, points: Points, volumes: Points) -> Plane:
        """Project small volumes onto the detector.

        Parameters
        ----------
        points : Points
            Patient coordinates (x, y, z), shape (n, 3).
        volumes : Points
            Cubic centimetres at each point, shape (n,).

        Returns
        -------
        Plane
            Path length in centimetres: the volume that falls on a pixel over the pixel's area.
        """
        x = points[:, 0] * cos(self.how.turn) + points[:, 2] * sin(self.how.turn)
        y = points[:, 1]
        c, s = cos(self.how.tilt), sin(self.how.tilt)
        column = (c * x - s * y + self.how.dx) / self.pitch + self.size / 2 - 0.5
        row = (s * x + c * y + self.how.dy) / self.pitch + self.size / 2 - 0.5
        seen = (row >= 0) & (column >= 0) & (row < self.size - 1) & (column < self.size - 1)
        row, column, mass = row[seen], column[seen], volumes[seen]
        top, left = row.astype(np.int64), column.astype(np.int64)
        down, right = row - top, column - left
        corner = top * self.size + left
        cells = self.size * self.size
        total = np.bincount(corner, mass * (1 - down) * (1 - right), cells)
        total += np.bincount(corner + 1, mass * (1 - down) * right, cells)
        total += np.bincount(corner + self.size, mass * down * (1 - right), cells)
        total += np.bincount(corner + self.size + 1, mass * down * right, cells)
        return (total / self.pitch**2).astype(np.float32).reshape(self.size, self.size)


def blur(image: Plane, sigma: float) -> Plane:
    """Return `image` under a Gaussian of `sigma` pixels, its borders mirrored."""
    pad = min(int(np.ceil(3 * sigma)), image.shape[0] - 1)
    padded = np.pad(image, pad, mode="reflect")
    rows, columns = padded.shape
    v = np.fft.fftfreq(rows)[:, None]
    u = np.fft.rfftfreq(columns)[None, :]
    transfer = np.exp(-2 * (np.pi * sigma) ** 2 * (u * u + v * v))
    soft = np.fft.irfft2(np.fft.rfft2(padded) * transfer, s=(rows, columns))
    return soft[pad : pad + image.shape[0], pad : pad + image.shape[1]].astype(np.float32)


def wide_blur(image: Plane, sigma: float) -> Plane:
    """Return `blur` for a wide Gaussian, worked out on a coarse grid."""
    step = max(1, int(sigma / 4))
    coarse = max(8, image.shape[0] // step)
    return resize(blur(resize(image, coarse), sigma * coarse / image.shape[0]), image.shape[0])


def resize(image: Plane, size: int) -> Plane:
    """Return `image` resampled to `size` x `size` pixels."""
    picture = Image.fromarray(np.ascontiguousarray(image, dtype=np.float32))
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)


def cloud(rng: np.random.Generator, size: int, cells: Sequence[int]) -> Plane:
    """Return smooth noise of zero mean and about unit deviation.

    Parameters
    ----------
    rng : np.random.Generator
        Where the noise comes from.
    size : int
        Rows and columns of the result.
    cells : Sequence[int]
        Cells per side of each octave; finer ones weigh less. Drawn alike for every `size`.
    """
    total: Plane = np.zeros((size, size), dtype=np.float32)
    for octave, n in enumerate(cells):
        total += resize(rng.standard_normal((n, n)).astype(np.float32), size) * 0.6**octave
    total -= total.mean()
    return np.asarray(total / (float(total.std()) or 1.0), dtype=np.float32)
