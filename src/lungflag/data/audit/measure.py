"""One pass over the files: what each image is, and what might give its label away."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lungflag.errors import InputError
from lungflag.radiograph import read_radiograph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from lungflag.data.manifest import Row

THUMBNAIL_SIDE = 32
BORDER = 0.05  # of the shorter side


@dataclass(frozen=True, slots=True)
class Feature:
    """One simple property of an image that ought not to tell its label.

    Attributes
    ----------
    name : str
        Its key in ``audit.json``.
    title : str
        Its name for people.
    meaning : str
        How it is measured, with its unit.
    """

    name: str
    title: str
    meaning: str


FEATURES = (
    Feature("height", "height", "rows of the image, in pixels"),
    Feature("width", "width", "columns of the image, in pixels"),
    Feature("area", "area", "rows times columns"),
    Feature("aspect_ratio", "aspect ratio", "columns over rows"),
    Feature("file_size", "file size", "bytes of the file"),
    Feature("bytes_per_pixel", "bytes per pixel", "bytes of the file over rows times columns"),
    Feature(
        "sharpness",
        "sharpness",
        "variance of the 4-neighbour Laplacian of the grey values 0 to 1, at full resolution "
        "(Pech-Pacheco et al., ICPR 2000)",
    ),
    Feature(
        "border_mean",
        "border",
        f"mean grey value of the outer {BORDER:.0%} of the shorter side, 0 to 1",
    ),
    Feature(
        "border_contrast",
        "border less centre",
        "border mean less the mean of the central half in both directions",
    ),
    Feature("mean", "brightness", "mean grey value, 0 to 1"),
    Feature("contrast", "contrast", "standard deviation of the grey values, 0 to 1"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """What one pass over one readable file found.

    Attributes
    ----------
    row : Row
        The image.
    sha256 : str
        Of the file's bytes, hexadecimal.
    features : NDArray[np.float64]
        Shape (11,), in the order of `FEATURES`.
    thumbnail : NDArray[np.float32]
        Shape (1024,): 32x32 box means less their mean, of unit length, so that the product of two
        is their correlation. All zero for a blank image.
    """

    row: Row
    sha256: str
    features: NDArray[np.float64]
    thumbnail: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file of the manifest that is not a radiograph's pixels, and why."""

    row: Row
    reason: str


def measure_all(
    rows: Iterable[Row], *, jobs: int, advance: Callable[[], object]
) -> tuple[list[Measurement], list[Unreadable]]:
    """Measure every file once, in threads; a file that cannot be read becomes a value.

    Parameters
    ----------
    rows : Iterable[Row]
        The images.
    jobs : int
        Threads. Decoding and resizing release the interpreter's lock.
    advance : Callable[[], object]
        Called after each file.
    """
    measured: list[Measurement] = []
    unreadable: list[Unreadable] = []
    with ThreadPoolExecutor(jobs) as pool:
        for result in pool.map(measure, rows):
            if isinstance(result, Measurement):
                measured.append(result)
            else:
                unreadable.append(result)
            advance()
    return measured, unreadable


def measure(row: Row) -> Measurement | Unreadable:
    """Read one file and measure it at full resolution."""
    try:
        data = row.path.read_bytes()
        pixels = read_radiograph(data, name=str(row.path)).pixels
    except OSError as error:
        return Unreadable(row, error.strerror or str(error))
    except InputError as error:
        return Unreadable(row, error.reason)
    return Measurement(
        row, hashlib.sha256(data).hexdigest(), features(pixels, len(data)), thumbnail(pixels)
    )


def features(pixels: NDArray[np.float32], file_size: int) -> NDArray[np.float64]:
    """Return the values of `FEATURES` for `pixels` of shape (rows, columns)."""
    rows, columns = pixels.shape
    edge = max(1, round(BORDER * min(rows, columns)))
    total = pixels.sum(dtype=np.float64)
    inner = pixels[edge:-edge, edge:-edge]
    border = (total - inner.sum(dtype=np.float64)) / max(1, pixels.size - inner.size)
    centre = pixels[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4]
    return np.array(
        [
            rows,
            columns,
            rows * columns,
            columns / rows,
            file_size,
            file_size / pixels.size,
            _laplacian_variance(pixels),
            border,
            border - centre.mean(dtype=np.float64),
            total / pixels.size,
            pixels.std(dtype=np.float64),
        ]
    )


def thumbnail(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the normalised thumbnail of `Measurement`, shape (1024,)."""
    side = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
    small = np.asarray(image.resize(side, Image.Resampling.BOX), dtype=np.float32).ravel()
    small = small - small.mean()
    length = float(np.linalg.norm(small))
    # Below a spread of 1e-5 a blank image's rounding noise would pass for a picture.
    return small / length if length > 1e-5 * THUMBNAIL_SIDE else np.zeros_like(small)


def _laplacian_variance(pixels: NDArray[np.float32]) -> float:
    if min(pixels.shape) < 3:
        return 0.0
    laplacian = pixels[:-2, 1:-1] + pixels[2:, 1:-1]
    laplacian += pixels[1:-1, :-2]
    laplacian += pixels[1:-1, 2:]
    laplacian -= 4 * pixels[1:-1, 1:-1]
    return float(laplacian.var(dtype=np.float64))
