"""MedMNIST ``.npz`` files: PneumoniaMNIST at 28 to 224 pixels.

Yang et al., MedMNIST v2, Scientific Data 10:41, 2023. The files hold no patient, so every image
counts as its own patient.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lungflag.data.manifest import LABELS, SPLIT_ALIASES, Manifest, Row
from lungflag.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

HELP = "a MedMNIST .npz file (PneumoniaMNIST)"
SPLIT_NAMES = ("train", "val", "test")


def recognises(path: Path) -> bool:
    """Tell an .npz file."""
    return path.is_file() and path.suffix.lower() == ".npz"


def read(path: Path, images: Path | None = None) -> Manifest:
    """Read a PneumoniaMNIST file, writing its images once as PNG files.

    Parameters
    ----------
    path : Path
        The .npz file.
    images : Path, optional
        Where the folder of PNG files goes; beside the file if not given. The folder's name holds
        a hash of the file, so that a changed file is extracted anew.

    Raises
    ------
    ManifestError
        If the file is damaged, its arrays are not PneumoniaMNIST's, or images cannot be written.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        folder = (images or path.parent) / f"{path.stem}-{digest[:12]}"
        if not folder.exists():
            _extract(path, folder)
    except OSError as error:
        raise ManifestError(f"{path}: its images cannot be extracted ({error})") from error
    return Manifest.read(folder / "manifest.csv")


def _extract(path: Path, folder: Path) -> None:
    """Write images and manifest into a folder that appears only when complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as unfinished:
        draft = Path(unfinished) / folder.name
        Manifest(tuple(_write_images(path, draft))).write(draft / "manifest.csv")
        draft.replace(folder)


def _write_images(path: Path, folder: Path) -> Iterator[Row]:
    source = path.stem.partition("_")[0]
    for name in SPLIT_NAMES:
        images, labels = _arrays(path, name)
        (folder / name).mkdir(parents=True)
        for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
            file = folder / name / f"{number:05d}.png"
            Image.fromarray(pixels).save(file)
            split = SPLIT_ALIASES.get(name, name)
            yield Row(file, LABELS[label], f"{name}-{number:05d}", split, source)


def _arrays(path: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the images (n, side, side) and labels (n,) of a split."""
    keys = (f"{split}_images", f"{split}_labels")
    if not zipfile.is_zipfile(path):
        raise ManifestError(f"{path}: damaged, or not an .npz file")
    try:
        # Opened here, since NumPy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images, labels = (arrays[key] for key in keys)
    except KeyError as error:
        raise ManifestError(
            f"{path}: no arrays {' and '.join(keys)}; not a MedMNIST file"
        ) from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ManifestError(f"{path}: damaged, or not an .npz file ({error})") from error
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ManifestError(f"{path}: {keys[0]} are not 8-bit grey images, so not PneumoniaMNIST's")
    if labels.size != len(images) or not np.isin(labels, (0, 1)).all():
        raise ManifestError(
            f"{path}: {keys[1]} are not one 0 or 1 an image, so not PneumoniaMNIST's"
        )
    return images, labels.reshape(-1).astype(np.int64)
