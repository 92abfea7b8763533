"""A CSV file: lungflag's own manifest, or any table with path, label and patient."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lungflag.data.manifest import Manifest
from lungflag.errors import ManifestError

if TYPE_CHECKING:
    from pathlib import Path

HELP = "a .csv file with the columns path, label, patient, or a folder with such a manifest.csv"


def recognises(path: Path) -> bool:
    """Tell a CSV file, or a folder that holds a manifest.csv."""
    return _file(path).is_file()


def read(path: Path) -> Manifest:
    """Read the table; rows that name no source get the folder's name.

    Raises
    ------
    ManifestError
        If the table breaks a manifest's rules, or not one of its images exists.
    """
    file = _file(path)
    manifest = Manifest.read(file)
    # One missing image is the audit's to report; if all are, the table stands in the wrong place.
    if not any(row.path.exists() for row in manifest):
        raise ManifestError(
            f"{file}: none of its {len(manifest)} images exists; looked for {manifest.rows[0].path}"
        )
    name = file.resolve().parent.name
    return Manifest(tuple(replace(row, source=row.source or name) for row in manifest))


def _file(path: Path) -> Path:
    return path if path.suffix.lower() == ".csv" else path / "manifest.csv"
