"""The manifest: one row an image, in a CSV file that a person can open."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from lungflag.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

LABELS = ("normal", "pneumonia")
SPLITS = ("train", "tune", "test", "")
COLUMNS = ("path", "label", "patient", "split", "source")

# Other people's words for the same things, read and never written.
COLUMN_ALIASES = MappingProxyType({"file": "path"})
LABEL_ALIASES = MappingProxyType({"0": "normal", "1": "pneumonia"})
SPLIT_ALIASES = MappingProxyType({"val": "tune", "valid": "tune", "validation": "tune"})


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a manifest.

    Attributes
    ----------
    path : Path
        The image file. Written relative to the manifest's folder where it lies below it.
    label : str
        ``normal`` or ``pneumonia``: the reference standard's word on the image.
    patient : str
        Names the patient within `source`. No two patients share it.
    split : str
        ``train``, ``tune``, ``test`` or empty.
    source : str
        The data set that the image comes from.
    extra : Mapping[str, str]
        Free columns, such as age, sex, view, subtype, fold.
    """

    path: Path
    label: str
    patient: str
    split: str = ""
    source: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def positive(self) -> bool:
        """Whether the reference standard says pneumonia."""
        return self.label == "pneumonia"

    @property
    def patient_key(self) -> tuple[str, str]:
        """The patient, unique across data sets."""
        return (self.source, self.patient)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The images of a study with their labels, patients and splits.

    Raises
    ------
    ManifestError
        If it is empty, a path stands in it twice, or a label or split is unknown.
    """

    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        if not self.rows:
            raise ManifestError("the manifest has no rows")
        for row in self.rows:
            _check(row)
        twice = [path for path, n in Counter(row.path for row in self.rows).items() if n > 1]
        if twice:
            raise ManifestError(f"{twice[0]}: stands in the manifest twice")

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def where(self, keep: Callable[[Row], bool]) -> Manifest:
        """Return the rows for which `keep` is true.

        Raises
        ------
        ManifestError
            If none is left.
        """
        return Manifest(tuple(row for row in self.rows if keep(row)))

    def in_split(self, split: str) -> Manifest:
        """Return the rows of one split.

        Raises
        ------
        ManifestError
            If the split has no rows.
        """
        found = tuple(row for row in self.rows if row.split == split)
        if not found:
            have = sorted({row.split or "(none)" for row in self.rows})
            raise ManifestError(f"no rows in split {split!r}; the manifest has {', '.join(have)}")
        return Manifest(found)

    def with_splits(self, splits: Iterable[str]) -> Manifest:
        """Return the same rows with new splits, in order."""
        return Manifest(
            tuple(replace(row, split=s) for row, s in zip(self.rows, splits, strict=True))
        )

    def with_column(self, name: str, values: Iterable[str]) -> Manifest:
        """Return the same rows with one free column set, in order."""
        return Manifest(
            tuple(
                replace(row, extra={**row.extra, name: value})
                for row, value in zip(self.rows, values, strict=True)
            )
        )

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read a manifest file; relative image paths count from its folder.

        Raises
        ------
        ManifestError
            If the file cannot be read or breaks a rule; the message names file and line.
        """
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ManifestError(f"{path}: cannot be read as a manifest ({error})") from error
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        try:
            rows = tuple(_read_rows(reader, path.parent))
        except (ManifestError, csv.Error) as error:
            line = max(reader.line_num, 1)
            raise ManifestError(f"{path}, line {line}: {error}") from error
        try:
            return cls(rows)
        except ManifestError as error:
            raise ManifestError(f"{path}: {error}") from error

    def write(self, path: Path) -> None:
        """Write the manifest as CSV, creating the folder.

        Raises
        ------
        ManifestError
            If the file cannot be written.
        """
        names = list(dict.fromkeys(name for row in self.rows for name in row.extra))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow([*COLUMNS, *names])
                for row in self.rows:
                    image = _relative(row.path, path.parent)
                    free = (row.extra.get(name, "") for name in names)
                    writer.writerow([image, row.label, row.patient, row.split, row.source, *free])
        except (OSError, UnicodeEncodeError) as error:
            raise ManifestError(f"{path}: cannot be written ({error})") from error


def _read_rows(reader: csv.DictReader[str], folder: Path) -> Iterator[Row]:
    names = [COLUMN_ALIASES.get(name.strip(), name.strip()) for name in reader.fieldnames or ()]
    missing = [name for name in ("path", "label", "patient") if name not in names]
    if missing:
        raise ManifestError(
            f"no column {', '.join(missing)}; its columns are {', '.join(names) or '(none)'}"
        )
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise ManifestError(f"two columns named {twice[0]!r}")
    reader.fieldnames = names
    for values in reader:
        if None in values or None in values.values():
            raise ManifestError("wrong number of columns")
        row = _parse(values, folder)
        _check(row)
        yield row


def _parse(values: Mapping[str, str], folder: Path) -> Row:
    label = values["label"].strip().lower()
    split = values.get("split", "").strip().lower()
    return Row(
        path=folder / values["path"],
        label=LABEL_ALIASES.get(label, label),
        patient=values["patient"].strip(),
        split=SPLIT_ALIASES.get(split, split),
        source=values.get("source", "").strip(),
        extra={name: value for name, value in values.items() if name not in COLUMNS},
    )


def _check(row: Row) -> None:
    if not row.path.name:
        raise ManifestError("no path")
    if row.label not in LABELS:
        raise ManifestError(f"{row.path}: label {row.label!r} is not one of {', '.join(LABELS)}")
    if row.split not in SPLITS:
        raise ManifestError(f"{row.path}: split {row.split!r} is not train, tune, test or empty")
    if not row.patient:
        raise ManifestError(f"{row.path}: no patient")


def _relative(path: Path, folder: Path) -> str:
    # Links are not followed: a linked image keeps its own name, which may hold the patient.
    image, base = Path(os.path.abspath(path)), os.path.abspath(folder)  # noqa: PTH100
    return (image.relative_to(base) if image.is_relative_to(base) else image).as_posix()
