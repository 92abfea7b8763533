"""Class folders: ``{train,val,test}/{NORMAL,PNEUMONIA}`` as published, or the classes alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lungflag.data.manifest import LABELS, SPLIT_ALIASES, SPLITS, Manifest, Row
from lungflag.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HELP = "a folder with NORMAL and PNEUMONIA, or with train, val, test that hold them"

# The zip files of the Guangzhou set wrap everything in a folder of this name.
WRAPPER = "chest_xray"
# Beside the classes only notes may lie: anything else might be an image without a label.
NOTE_SUFFIXES = frozenset({".txt", ".md", ".pdf", ".html", ".json", ".csv", ".zip"})
NOTE_NAMES = frozenset({"README", "LICENSE", "LICENCE", "CITATION"})
JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx"})

# How the Guangzhou set names its files: person1000_bacteria_2931.jpeg, IM-0115-0001.jpeg,
# NORMAL2-IM-0927-0001.jpeg; a few have one more number at the end.
_SICK = re.compile(r"(?P<patient>person\d+)_(?P<subtype>bacteria|virus)(_\d+)+")
_WELL = re.compile(r"(?P<patient>(NORMAL\d*-)?IM-\d+)(-\d+)+")


def recognises(path: Path) -> bool:
    """Tell a folder with class folders in it, or split folders that hold class folders."""
    if not path.is_dir():
        return False
    root = _unwrap(path)
    return any(
        _label(folder) or (_split(folder) and any(map(_label, _folders(folder))))
        for folder in _folders(root)
    )


def read(path: Path) -> Manifest:
    """Read class folders, with patients from the Guangzhou set's file names.

    A file of another name is a patient of its own, named by the file's stem.

    Raises
    ------
    ManifestError
        If a folder or a loose file belongs to no class, or there is no image at all.
    """
    root = _unwrap(path)
    if not root.is_dir() or not recognises(root):
        raise ManifestError(f"{path}: not {HELP}")
    found = [image for folder in _check_level(root) for image in _images(folder)]
    if not found:
        raise ManifestError(f"{root}: its class folders are empty")
    published = all(_match(file) for file, _, _ in found)
    source = "guangzhou" if published else root.resolve().name
    return Manifest(tuple(_row(file, label, split, source) for file, label, split in found))


def _images(folder: Path, split: str = "") -> Iterator[tuple[Path, str, str]]:
    label = _label(folder)
    if label is None:
        for inner in _check_level(folder):
            yield from _images(inner, _split(folder) or "")
        return
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not any(map(_is_hidden, file.relative_to(folder).parts)):
            yield file, label, split


def _row(file: Path, label: str, split: str, source: str) -> Row:
    match = _match(file)
    if match is None:
        return Row(file, label, file.stem, split, source)
    patient, subtype = match["patient"], match.groupdict().get("subtype")
    if subtype and split == "test":
        # person1 of test and person1 of train are two children: each counted from 1.
        patient = f"test-{patient}"
    return Row(file, label, patient, split, source, {"subtype": subtype or label})


def _match(file: Path) -> re.Match[str] | None:
    return _SICK.fullmatch(file.stem) or _WELL.fullmatch(file.stem)


def _check_level(folder: Path) -> list[Path]:
    """Return the folders of a level: all classes, or all splits."""
    folders = _folders(folder)
    wanted = _label if any(map(_label, folders)) else _split
    for inner in folders:
        if not wanted(inner):
            raise ManifestError(
                f"{inner}: unexpected beside {', '.join(f.name for f in folders if wanted(f))}; "
                "move it away, or open only the folder that is meant"
            )
    for file in sorted(folder.iterdir()):
        note = file.suffix.lower() in NOTE_SUFFIXES or file.stem.upper() in NOTE_NAMES
        if file.is_file() and not note and not _is_hidden(file.name):
            raise ManifestError(f"{file}: lies outside the class folders, so it has no label")
    return folders


def _folders(path: Path) -> list[Path]:
    return sorted(
        inner for inner in path.iterdir() if inner.is_dir() and not _is_hidden(inner.name)
    )


def _unwrap(path: Path) -> Path:
    inner = path / WRAPPER
    return inner if inner.is_dir() and len(_folders(path)) == 1 else path


def _label(folder: Path) -> str | None:
    name = folder.name.lower()
    return name if name in LABELS else None


def _split(folder: Path) -> str | None:
    name = SPLIT_ALIASES.get(folder.name.lower(), folder.name.lower())
    return name if name in SPLITS else None


def _is_hidden(name: str) -> bool:
    """Tell what operating systems leave behind: never an image, whatever its suffix."""
    return name.startswith(".") or name.lower() in JUNK
