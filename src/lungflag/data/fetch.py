"""Published data sets, from their official homes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from lungflag.data.download import RemoteFile, Transport, download, verify
from lungflag.data.unzip import unzip
from lungflag.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Published:
    """A data set that lungflag can fetch.

    Attributes
    ----------
    about : str
        What it is, in one line.
    file : RemoteFile
        What is downloaded.
    licence, citation : str
        What a user of the data owes its makers.
    unpacked : str
        Folder that a zip file is unpacked into; empty for other files.
    """

    about: str
    file: RemoteFile
    licence: str
    citation: str
    unpacked: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where a data set lies.

    Attributes
    ----------
    path : Path
        What `lungflag.data.sources.open_data` reads.
    fresh : bool
        False if it was already there.
    """

    path: Path
    fresh: bool


_KERMANY = (
    "Kermany D, Zhang K, Goldbaum M. Labeled Optical Coherence Tomography (OCT) and Chest X-Ray "
    "Images for Classification. Mendeley Data, V2, 2018. doi:10.17632/rscbjbr9sj.2"
)
_MEDMNIST = (
    "Yang J, Shi R, Wei D, et al. MedMNIST v2 - A large-scale lightweight benchmark for 2D and 3D "
    "biomedical image classification. Scientific Data 10:41, 2023. "
    "doi:10.1038/s41597-022-01721-8. Images from: " + _KERMANY
)


def _pneumoniamnist(side: int, suffix: str, size: int, md5: str) -> Published:
    name = f"pneumoniamnist{suffix}.npz"
    return Published(
        about=f"PneumoniaMNIST: 5,856 of the Guangzhou radiographs, cropped to {side}x{side}",
        file=RemoteFile(
            f"https://zenodo.org/records/10519652/files/{name}?download=1", name, size, md5
        ),
        licence="CC BY 4.0",
        citation=_MEDMNIST,
    )


DATASETS: Mapping[str, Published] = MappingProxyType(
    {
        "guangzhou": Published(
            about="Paediatric chest radiographs from Guangzhou, ages 1 to 5, train and test",
            # No published checksum was found: the size is checked, and the CRCs inside the zip.
            file=RemoteFile(
                "https://data.mendeley.com/public-files/datasets/rscbjbr9sj/files/"
                "f12eaf6d-6023-432f-acc9-80c9d7393433/file_downloaded",
                "ChestXRay2017.zip",
                1_235_512_464,
            ),
            licence="CC BY 4.0",
            citation=_KERMANY,
            unpacked="ChestXRay2017",
        ),
        "pneumoniamnist-28": _pneumoniamnist(28, "", 4_170_669, "28209eda62fecd6e6a2d98b1501bb15f"),
        "pneumoniamnist-64": _pneumoniamnist(
            64, "_64", 20_606_998, "8f4eceb4ccffa70c672198ea285246c6"
        ),
        "pneumoniamnist-128": _pneumoniamnist(
            128, "_128", 75_506_212, "05b46931834c231683c68f40c47b2971"
        ),
        "pneumoniamnist-224": _pneumoniamnist(
            224, "_224", 214_384_716, "d6a3c71de1b945ea11211b03746c1fe1"
        ),
    }
)


def fetch(published: Published, folder: Path, transport: Transport | None = None) -> Fetched:
    """Download, check and unpack a data set; do nothing if it is already there.

    Parameters
    ----------
    published : Published
        An entry of `DATASETS`.
    folder : Path
        Where it goes; created if missing.
    transport : Transport, optional
        Patience, progress and notices.

    Raises
    ------
    FetchError
        If the download fails, the file is not the published one, or the disk is full. What is
        damaged is removed; what is merely unfinished is kept and gone on with.
    """
    transport = transport or Transport()
    target = folder / published.file.name
    unpacked = folder / published.unpacked if published.unpacked else None
    if unpacked is not None and unpacked.exists():
        return Fetched(unpacked, fresh=False)
    fresh = not target.exists()
    if fresh:
        _make_room(folder, published)
        download(published.file, target, transport)
    else:
        _verify_found(published.file, target)
    if unpacked is None:
        return Fetched(target, fresh)
    unzip(target, unpacked, transport.progress)
    return Fetched(unpacked, fresh=True)


def _verify_found(remote: RemoteFile, target: Path) -> None:
    # Not removed: someone else may have put it there.
    try:
        verify(remote, target)
    except FetchError as error:
        raise FetchError(f"{error}; move {target} away to fetch it anew") from error


def _make_room(folder: Path, published: Published) -> None:
    """Create the folder, and say at once if the disk cannot hold what is to come."""
    part = folder / (published.file.name + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        have = part.stat().st_size if part.exists() else 0
    except OSError as error:
        raise FetchError(f"{folder}: cannot be written ({error.strerror})") from error
    need = published.file.size * (2 if published.unpacked else 1) - have
    if free < need:
        raise FetchError(f"{folder}: {need:,} bytes are needed, and the disk has {free:,} free")
