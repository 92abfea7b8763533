"""DX objects in every transfer syntax, written by dcmtk where it can and by pydicom else."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from pydicom import uid

from lungflag.phantom import make_phantom
from tests.conftest import tool
from tests.radiograph.objects import content, dx

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BY_DCMTK = {
    uid.ImplicitVRLittleEndian: ("dcmconv", "+ti"),
    uid.ExplicitVRLittleEndian: ("dcmconv", "+te"),
    uid.ExplicitVRBigEndian: ("dcmconv", "+tb"),
    uid.DeflatedExplicitVRLittleEndian: ("dcmconv", "+td"),
    uid.JPEGBaseline8Bit: ("dcmcjpeg", "+eb"),
    uid.JPEGExtended12Bit: ("dcmcjpeg", "+ee"),
    uid.JPEGLossless: ("dcmcjpeg", "+el"),
    uid.JPEGLosslessSV1: ("dcmcjpeg", "+e1"),
    uid.JPEGLSLossless: ("dcmcjpls", "+el"),
    uid.JPEGLSNearLossless: ("dcmcjpls", "+en"),
    uid.RLELossless: ("dcmcrle",),
}
BY_PYDICOM: dict[uid.UID, dict[str, Any]] = {
    uid.JPEG2000Lossless: {},
    uid.JPEG2000: {"j2k_psnr": [45]},
}


@cache
def phantom_pixels(seed: int = 1, size: int = 256) -> NDArray[np.uint16]:
    """Return a synthetic chest of 12 bits."""
    pixels = make_phantom(seed, pneumonia=bool(seed % 2), size=size).pixels
    return np.rint(pixels * 4095).astype(np.uint16)


def real_pixels(shared: Path, index: int) -> NDArray[np.uint16]:
    """Return a real radiograph at its full size, spread to 12 bits."""
    paths = sorted((shared / "data" / "originals").rglob("*.jp*g"))
    with Image.open(paths[index]) as image:
        grey = np.array(image.convert("L"), dtype=np.uint16)
    return grey * 16 + grey // 16


def write_film(folder: Path, syntax: str, pixels: NDArray[np.uint16], **attributes: Any) -> Path:
    """Write a DX object in a transfer syntax, and return its path."""
    bits = 8 if syntax == uid.JPEGBaseline8Bit else 12
    ds = dx(pixels // 16 if bits == 8 else pixels, bits, **attributes)
    path = folder / f"{uid.UID(syntax).keyword}-{ds.SOPInstanceUID[-12:]}.dcm"
    if syntax in BY_PYDICOM:
        ds.compress(syntax, generate_instance_uid=False, **BY_PYDICOM[uid.UID(syntax)])
        path.write_bytes(content(ds))
        return path
    plain = path.with_suffix(".plain")
    plain.write_bytes(content(ds))
    program, *options = BY_DCMTK[uid.UID(syntax)]
    subprocess.run([tool(program), *options, plain, path], check=True, capture_output=True)
    plain.unlink()
    return path
