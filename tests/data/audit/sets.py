"""Data sets in the making, for the tests of the audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lungflag.data.audit import Audit, audit_manifest
from lungflag.data.manifest import Manifest, Row

SIDE = 128


def scene(seed: int, side: int = SIDE) -> Image.Image:
    """Return a smooth random picture; two seeds are two pictures."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


class Folder:
    """A data set in the making: pictures on disk and their rows."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, list[Row]()

    def add(
        self,
        name: str,
        image: Image.Image | bytes,
        label: str = "normal",
        patient: str = "",
        split: str = "",
        **options: Any,
    ) -> Path:
        file = self.path / name
        if isinstance(image, bytes):
            file.write_bytes(image)
        else:
            image.save(file, **options)
        self.rows.append(Row(file, label, patient or f"p{len(self.rows)}", split))
        return file

    def crowd(self, patients: int, split: str = "", seed: int = 1000) -> None:
        """Add patients of one image each, of either label in turn."""
        for n in range(patients):
            name, label = f"{split}{seed + n}.png", ("normal", "pneumonia")[n % 2]
            self.add(name, scene(seed + n), label, f"{split}{seed + n}", split)

    def audit(self, jobs: int = 2) -> Audit:
        return audit_manifest(Manifest(tuple(self.rows)), jobs=jobs)
