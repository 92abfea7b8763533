"""Masks of lesions and lung fields, wherever they come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from lungflag.errors import ManifestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lungflag.data.manifest import Row
    from lungflag.radiograph import Radiograph

LESIONS, LUNGS = "mask", "lungs"
"""The manifest's columns that name mask files, relative to the manifest's folder."""

LungFinder = Callable[["NDArray[np.float32]"], "NDArray[np.bool_]"]
"""From a film's pixels (rows, columns) to its lung fields, in any resolution."""

_SKEW = 0.02  # share by which the sides' ratio of a mask may differ from its film's


@dataclass(frozen=True, slots=True)
class Masks:
    """Where a data set's masks are found.

    Attributes
    ----------
    folder : Path
        What the columns `mask` and `lungs` of the manifest count from.
    lungs : Path or LungFinder or None
        In place of the column: a folder of PNG files named as the images are, or a function of
        the pixels. None takes the column.
    """

    folder: Path
    lungs: Path | LungFinder | None = None

    def lesions_of(self, row: Row, film: Radiograph) -> NDArray[np.bool_] | None:
        """Return the lesions of a positive film; None where none are drawn.

        Raises
        ------
        ManifestError
            If the file named for them cannot be read or is no mask of this film.
        """
        if not row.positive:
            return None
        return self._named(row, LESIONS, film)

    def lungs_of(self, row: Row, film: Radiograph) -> NDArray[np.bool_] | None:
        """Return the lung fields of a film; None where they are not known or not there.

        Raises
        ------
        ManifestError
            As `lesions_of`; also where a folder of masks was given and lacks this film's.
        """
        if self.lungs is None:
            return self._named(row, LUNGS, film)
        if isinstance(self.lungs, Path):
            return _drawn(self.lungs / f"{row.path.stem}.png", film)
        mask = self.lungs(film.pixels)
        return mask if mask.any() else None

    def _named(self, row: Row, column: str, film: Radiograph) -> NDArray[np.bool_] | None:
        name = row.extra.get(column, "").strip()
        return _drawn(self.folder / name, film) if name else None


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Read a mask from an image file: whatever is not black belongs to it.

    Raises
    ------
    ManifestError
        If the file is missing or is no image.
    """
    try:
        with Image.open(path) as image:
            grey = np.asarray(
                image if image.mode in ("1", "L", "I", "I;16") else image.convert("L")
            )
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not an image"
        raise ManifestError(f"{path}: cannot be read as a mask ({reason})") from error
    return np.asarray(grey > 0)


def _drawn(path: Path, film: Radiograph) -> NDArray[np.bool_] | None:
    """Return the mask of `film` in a file, or None where it is empty."""
    mask = read_mask(path)
    (rows, columns), (height, width) = film.pixels.shape, mask.shape  # a reader may reduce films
    if abs(rows * width / (columns * height) - 1) > _SKEW:
        raise ManifestError(
            f"{path}: the mask of {film.source} has {height} x {width} pixels, "
            f"the film {rows} x {columns}"
        )
    return mask if mask.any() else None
