"""The one function between a radiograph and the network, in training and in serving."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

_METHOD = 2  # 1 did not reduce


@dataclass(frozen=True, slots=True)
class Preprocess:
    """Grey pixels of any size to a square of bytes, described by its own fields.

    A large radiograph is reduced by a power of two first, see `reduced`. It is then squashed to a
    square (aspect ratio is a known shortcut), and the grey scale is stretched between two
    percentiles, so that windowing and bit depth do not matter.

    Attributes
    ----------
    size : int
        Side of the square in pixels.
    low, high : float
        Percentiles of the resized pixels that become 0 and 255.
    equalise : bool
        Equalise the histogram instead of leaving it stretched: every radiograph then has the same
        one, so that exposure, window and characteristic curve say nothing.
    """

    size: int = 224
    low: float = 0.5
    high: float = 99.5
    equalise: bool = False

    def __call__(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return an array of shape (size, size) for `pixels` of shape (rows, columns)."""
        # BILINEAR in Pillow averages over the whole reduction window: no aliasing.
        image = _image(self.reduced(pixels))
        resized = np.asarray(
            image.resize((self.size, self.size), Image.Resampling.BILINEAR), dtype=np.float32
        )
        low, high = np.percentile(resized, (self.low, self.high))
        scale = 255.0 / (high - low) if high > low else 0.0
        square: NDArray[np.uint8] = np.clip(np.rint((resized - low) * scale), 0, 255).astype(
            np.uint8
        )
        return _equalised(square) if self.equalise else square

    def reduced(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return `pixels` averaged over squares, as a JPEG decoder does at reduced scale.

        The squares' side is a power of two, the largest that `working_side` allows. What is reduced
        already stays as it is, so that several preprocessings may share the work.

        Parameters
        ----------
        pixels : NDArray[np.float32]
            Shape (rows, columns).
        """
        room = min(pixels.shape) // self.working_side
        if room < 2:
            return pixels
        return np.asarray(_image(pixels).reduce(1 << (room.bit_length() - 1)))

    @property
    def working_side(self) -> int:
        """Rows or columns below which a decoder must not reduce: twice `size`."""
        return 2 * self.size

    @property
    def digest(self) -> str:
        """Hexadecimal name of this preprocessing, for caches."""
        record = json.dumps({"method": _METHOD, **self.to_dict()})
        return hashlib.sha256(record.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, for `package.json`."""
        return asdict(self)


def _image(pixels: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))


def _equalised(square: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `square` with each level moved to the share of pixels below it, half its own in."""
    count = np.bincount(square.ravel(), minlength=256)
    share = (count.cumsum() - count / 2) / square.size
    levels: NDArray[np.uint8] = np.rint(255 * share).astype(np.uint8)
    return levels[square]
