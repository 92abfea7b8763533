"""Every image is decoded once: a cache keyed by the file's content and the preprocessing."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING

import numpy as np

from lungflag.errors import InputError
from lungflag.radiograph import read_radiograph

if TYPE_CHECKING:
    from collections.abc import Callable

    from lungflag.data.manifest import Manifest, Row
    from lungflag.preprocess import Preprocess


@dataclass(frozen=True, slots=True)
class CachedImage:
    """A manifest's row and the file that holds its preprocessed pixels (.npy, uint8)."""

    row: Row
    file: Path


@dataclass(frozen=True, slots=True)
class CachedData:
    """The images that could be read, in the manifest's order, and why the others could not."""

    images: tuple[CachedImage, ...]
    rejected: tuple[InputError, ...]


def cache_images(
    manifest: Manifest,
    preprocess: Preprocess,
    folder: Path,
    *,
    jobs: int = 2,
    advance: Callable[[], object] = lambda: None,
) -> CachedData:
    """Preprocess every image of `manifest` that `folder` does not hold yet.

    A killed run leaves whole files only, and the next one goes on from there.

    Parameters
    ----------
    manifest : Manifest
        The images.
    preprocess : Preprocess
        The way from radiograph to bytes; part of the key.
    folder : Path
        The cache. It may be shared by data sets and deleted at any time.
    jobs : int
        Threads.
    advance : Callable
        Called after each image, for a progress bar.
    """
    home = folder / preprocess.digest
    home.mkdir(parents=True, exist_ok=True)
    images, rejected = [], []
    with ThreadPoolExecutor(jobs) as pool:
        for result in pool.map(partial(_cache_one, preprocess=preprocess, home=home), manifest):
            if isinstance(result, CachedImage):
                images.append(result)
            else:
                rejected.append(result)
            advance()
    return CachedData(tuple(images), tuple(rejected))


def _cache_one(row: Row, *, preprocess: Preprocess, home: Path) -> CachedImage | InputError:
    try:
        content = row.path.read_bytes()
    except OSError as error:
        return InputError(str(row.path), error.strerror or "cannot be read")
    file = home / f"{hashlib.sha256(content).hexdigest()}.npy"
    if not file.exists():
        try:
            radiograph = read_radiograph(
                content, name=str(row.path), minimum_side=preprocess.working_side
            )
        except InputError as error:
            return error
        part = file.with_suffix(f".{os.getpid()}.{get_ident()}.part")
        with part.open("wb") as stream:
            np.save(stream, preprocess(radiograph.pixels))
        part.replace(file)  # atomic: a reader never sees half a file
    return CachedImage(row, file)
