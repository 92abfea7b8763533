"""Objects that are bad for whoever decodes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom import uid
from pydicom.encaps import encapsulate

from tests.radiograph.objects import content, dx

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset


def plain(side: int = 256, seed: int = 0) -> FileDataset:
    """Return a harmless DX object of noise."""
    noise = np.random.default_rng(seed).integers(0, 4096, (side, side))
    return dx(noise.astype(np.uint16), 12)


def slow(side: int) -> bytes:
    """Return a DX object that is valid, and takes seconds to decode.

    Its run-length encoding consists of runs of one byte, and each costs the decoder a turn.
    """
    ds = plain(8)
    ds.Rows = ds.Columns = side
    segments = []
    for highest in (16, 256):  # most significant bytes first (PS3.5, G.2)
        runs = np.zeros(2 * side * side, np.uint8)
        runs[1::2] = np.random.default_rng(highest).integers(0, highest, side * side)
        segments.append(runs.tobytes())
    header = np.zeros(16, "<u4")
    header[:3] = 2, 64, 64 + len(segments[0])
    ds.file_meta.TransferSyntaxUID = uid.RLELossless
    ds.PixelData = encapsulate([header.tobytes() + b"".join(segments)])
    ds["PixelData"].VR = "OB"
    return content(ds)


def long_tailed(elements: int) -> bytes:
    """Return a DX object with so many elements behind its pixels: each takes about 2 us to read.

    It is the same element again and again, so that only time is needed, and no memory.
    """
    return content(plain()) + b"\xe1\x7f\x01\x10LO\x00\x00" * elements


def huge() -> bytes:
    """Return a DX object of a kilobyte whose pixels take 32 MB, and more while they are judged."""
    ds = dx(np.full((4000, 4000), 5, np.uint16), 12)
    ds.compress(uid.JPEG2000Lossless, generate_instance_uid=False)
    return content(ds)


def cut_short() -> bytes:
    """Return a DX object whose JPEG 2000 stream ends in the middle."""
    ds = plain()
    ds.compress(uid.JPEG2000Lossless, generate_instance_uid=False)
    stream = ds.PixelData[: len(ds.PixelData) // 2]
    ds.PixelData = encapsulate([stream])
    return content(ds)


def absurd() -> bytes:
    """Return a DX object that promises 65,535 frames of 65,535 rows and columns."""
    ds = plain(8)
    ds.Rows = ds.Columns = 65_535
    ds.NumberOfFrames = 65_535
    return content(ds)
