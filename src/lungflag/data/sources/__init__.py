"""Data sets as people have them, each read into a valid manifest.

A further layout is one function from a path to a `Manifest` and one entry in `SOURCES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from lungflag.data.sources import folders, medmnist, rsna, table
from lungflag.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lungflag.data.manifest import Manifest

__all__ = ["SOURCES", "Source", "open_data"]


@dataclass(frozen=True, slots=True)
class Source:
    """One layout of a data set on disk.

    Attributes
    ----------
    help : str
        What it looks like, in one line.
    recognises : Callable[[Path], bool]
        Whether an existing path has this layout, told from names alone.
    read : Callable[[Path], Manifest]
        Reads it; raises `ManifestError` where it breaks the layout's rules.
    """

    help: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path], Manifest]


# Asked in this order: a manifest that lies beside class folders is the more deliberate word.
SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "csv": Source(table.HELP, table.recognises, table.read),
        "medmnist": Source(medmnist.HELP, medmnist.recognises, medmnist.read),
        "rsna": Source(rsna.HELP, rsna.recognises, rsna.read),
        "folders": Source(folders.HELP, folders.recognises, folders.read),
    }
)


def open_data(path: Path, source: str | None = None) -> Manifest:
    """Read a data set, whatever its layout.

    Parameters
    ----------
    path : Path
        A folder or file in one of the layouts of `SOURCES`.
    source : str, optional
        The layout's name. Told from the path if not given.

    Raises
    ------
    ManifestError
        If the path is missing, no layout fits (the message says what was looked for), the name
        is unknown, or the data break the layout's rules.
    """
    if not path.exists():
        raise ManifestError(f"{path}: no such file or folder")
    if source is None:
        source = next((name for name, known in SOURCES.items() if known.recognises(path)), None)
        if source is None:
            looked = "; ".join(f"{name}: {known.help}" for name, known in SOURCES.items())
            raise ManifestError(f"{path}: no known data set. Looked for {looked}")
    elif source not in SOURCES:
        raise ManifestError(f"no source {source!r}; there are {', '.join(SOURCES)}")
    return SOURCES[source].read(path)
