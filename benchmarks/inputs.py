"""The films that every contestant gets: real ones where they are, phantoms of their size else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from pydicom.uid import generate_uid

from lungflag.phantom import make_phantom, to_dicom

if TYPE_CHECKING:
    from pydicom import Dataset

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_SIDE = 1363  # of a square with as many pixels as the real films have on average
_PHANTOMS = 12


def jpegs(folder: Path, count: int) -> list[Path]:
    """Return `count` full-resolution JPEG files, both classes alike."""
    real = sorted((DATA / "originals").rglob("*.jp*g"))
    if real:
        return real[:: max(1, len(real) // count)][:count]
    folder.mkdir(exist_ok=True)
    for seed in range(min(_PHANTOMS, count)):
        pixels = make_phantom(seed, pneumonia=bool(seed % 2), size=_SIDE).pixels
        grey = np.rint(np.asarray(pixels) * 255).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"{seed}.jpeg", quality=95)
    made = sorted(folder.glob("*.jpeg"))
    return [made[n % len(made)] for n in range(count)]


def dicoms(films: list[Path], folder: Path) -> Path:
    """Write films as uncompressed DX objects of 12 bits with a window; return their folder."""
    folder.mkdir()
    for number, path in enumerate(films):
        dx(path).save_as(folder / f"{number:04d}.dcm", enforce_file_format=True)
    return folder


def dx(film: Path) -> Dataset:
    """Return a film as an uncompressed DX object of 12 bits with a window."""
    with Image.open(film) as image:
        grey = np.array(image.convert("L"), dtype="<u2")
    ds = to_dicom(make_phantom(1, pneumonia=False, size=64))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.Rows, ds.Columns = grey.shape
    ds.PixelData = (grey * 16 + grey // 16).tobytes()
    ds.PhotometricInterpretation, ds.PresentationLUTShape = "MONOCHROME2", "IDENTITY"
    return ds


def labelled(folder: Path, normal: int, pneumonia: int) -> Path:
    """Fill a folder with small labelled images, `NORMAL` and `PNEUMONIA`; return it."""
    for label, count in (("NORMAL", normal), ("PNEUMONIA", pneumonia)):
        place = folder / label
        place.mkdir(parents=True)
        real = sorted((DATA / "kermany224" / "train" / label).glob("*.jpeg"))
        for number in range(count):
            if real:
                (place / real[number].name).symlink_to(real[number])
            else:
                pixels = make_phantom(number, pneumonia=label == "PNEUMONIA", size=224).pixels
                grey = np.rint(np.asarray(pixels) * 255).astype(np.uint8)
                Image.fromarray(grey).save(place / f"p{number}_{label}.jpeg", quality=95)
    return folder
