"""Volumes of the body: slices as CT and MR show them, and films in any direction through CT."""

from __future__ import annotations

import gzip
import plistlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SIDE = 224
WINDOWS = ((-600, 1500), (40, 400), (0, 1000), (300, 1800), (-100, 2400))
"""Centre and width in Hounsfield units: lung, soft tissue, two between, bone, everything."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Grey values of shape (head to foot, front to back, patient's right to left).

    `spacing` is in millimetres along those axes. CT is in Hounsfield units.
    """

    name: str
    values: NDArray[np.float32]
    spacing: tuple[float, float, float]

    def planes(self, axis: int, count: int) -> Iterator[NDArray[np.float32]]:
        """Yield `count` slices across an axis, evenly over the middle nine tenths, undistorted."""
        n = self.values.shape[axis]
        down, across = (s for a, s in enumerate(self.spacing) if a != axis)
        for at in np.linspace(0.05 * n, 0.95 * n - 1, count).round().astype(int):
            plane = np.take(self.values, at, axis=axis)
            size = (round(plane.shape[1] * across), round(plane.shape[0] * down))
            picture = Image.fromarray(np.ascontiguousarray(plane))
            yield np.asarray(picture.resize(size, Image.Resampling.BILINEAR))

    def film(self, degrees: float, size: int = 256) -> NDArray[np.float32]:
        """Return path integrals of attenuation, seen from the front (0) or the side (90)."""
        z, y, x = self.spacing
        water = np.clip((self.values + 1000) / 1000, 0, 3)
        total = np.zeros((len(water), size), np.float32)
        # A table below the patient is no part of the body.
        half = size / 2
        scale = max(self.values.shape[1] * y, self.values.shape[2] * x) / size
        for row, plane in enumerate(water):
            picture = Image.fromarray(np.ascontiguousarray(plane))
            flat = picture.resize(
                (round(plane.shape[1] * x / scale), round(plane.shape[0] * y / scale)),
                Image.Resampling.BILINEAR,
            )
            square = Image.new("F", (size, size))
            square.paste(flat, (int(half - flat.width / 2), int(half - flat.height / 2)))
            turned = square.rotate(degrees, Image.Resampling.BILINEAR)
            total[row] = np.asarray(turned).sum(axis=0)
        tall = round(len(water) * z / scale)
        picture = Image.fromarray(total * np.float32(scale / 10))
        return np.asarray(picture.resize((size, tall), Image.Resampling.BICUBIC))


def window(values: NDArray[np.float32], centre: float, width: float) -> NDArray[np.float32]:
    """Return grey 0 to 1 of Hounsfield units."""
    return np.clip((values - centre) / width + 0.5, 0, 1)


def develop(water: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a film's grey 0 to 1 for centimetres of water, as digital radiography shows it."""
    density = 0.2 * np.maximum(water, 0)
    wide = _blur(density, density.shape[1] * rng.uniform(0.04, 0.1))
    local = density - rng.uniform(0.2, 0.65) * (wide - wide.mean())
    body = local[density > 0.3]
    low, high = np.percentile(body, (rng.uniform(0, 3), rng.uniform(93, 99.5)))
    grey = np.clip((local - low) / (high - low + 1e-6), 0, 1) ** rng.uniform(0.7, 1.4)
    return np.asarray(grey + rng.normal(0, 0.01, grey.shape), np.float32).clip(0, 1)


def _blur(plane: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    coarse = Image.fromarray(plane)
    small = (max(2, int(plane.shape[1] / sigma)), max(2, int(plane.shape[0] / sigma)))
    coarse = coarse.resize(small, Image.Resampling.BILINEAR)
    return np.asarray(coarse.resize(plane.shape[::-1], Image.Resampling.BICUBIC))


def square(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a picture of grey 0 to 1, squashed to `SIDE`, as bytes."""
    image = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    resized = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    return np.rint(np.clip(resized, 0, 1) * 255).astype(np.uint8)


def read_dicom(folder: Path, name: str) -> Volume:
    """Return a CT series, which lies in `folder` as one file a slice."""
    slices = [pydicom.dcmread(path) for path in folder.glob("*.dcm")]
    slices.sort(key=lambda one: -float(one.ImagePositionPatient[2]))
    values = np.stack(
        [one.pixel_array * float(one.RescaleSlope) + float(one.RescaleIntercept) for one in slices]
    )
    step = abs(float(slices[0].ImagePositionPatient[2]) - float(slices[1].ImagePositionPatient[2]))
    y, x = map(float, slices[0].PixelSpacing)
    return Volume(name, np.maximum(values, -1000).astype(np.float32), (step, y, x))


def read_nrrd(path: Path) -> Volume:
    """Return a volume of NRRD 4 with gzip encoding, axes left, posterior, superior."""
    head, body = path.read_bytes().split(b"\n\n", 1)
    facts = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    kind = {"short": "<i2", "float": "<f4", "double": "<f8", "uint8": "u1"}[facts["type"]]
    shape = tuple(map(int, facts["sizes"].split()))
    axes = np.array(
        [[float(v) for v in part.strip("()").split(",")]
         for part in facts["space directions"].split()]
    )  # fmt: skip
    values = np.frombuffer(gzip.decompress(body), kind).reshape(shape[::-1]).astype(np.float32)
    steps = np.abs(axes).max(axis=1)
    flip = [int(axes[k][np.abs(axes[k]).argmax()] < 0) for k in (2, 1, 0)]
    # Stored from foot to head; turned so that the head comes first.
    values = values[:: -1 if not flip[0] else 1, :: -1 if flip[1] else 1, :: -1 if flip[2] else 1]
    return Volume(path.stem, np.ascontiguousarray(values), (steps[2], steps[1], steps[0]))


def read_nifti(path: Path) -> Volume:
    """Return a NIfTI-1 volume whose axes run to the right, to the front and to the head."""
    data = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(data, "<i2", 3, 42)
    code, offset = (
        int(np.frombuffer(data, "<i2", 1, 70)[0]),
        int(np.frombuffer(data, "<f4", 1, 108)[0]),
    )
    kind = {2: "u1", 4: "<i2", 8: "<i4", 16: "<f4", 64: "<f8", 512: "<u2"}[code]
    values = np.frombuffer(data, kind, int(np.prod(shape)), offset).reshape(shape[::-1])
    steps = np.frombuffer(data, "<f4", 3, 80)
    values = np.ascontiguousarray(values[::-1, ::-1].astype(np.float32))
    return Volume(path.name.split(".")[0], values, (steps[2], steps[1], steps[0]))


def read_invesalius(folder: Path, name: str) -> Volume:
    """Return the CT of an unpacked InVesalius project."""
    facts = plistlib.loads((folder / "main.plist").read_bytes())
    matrix = facts["matrix"]
    values = np.memmap(
        folder / matrix["filename"], matrix["dtype"], "r", shape=tuple(matrix["shape"])
    )
    x, y, z = facts["spacing"]
    return Volume(name, np.asarray(values[::-1], np.float32), (z, y, x))
