"""`audit_manifest` and everything that it finds."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lungflag.data.audit.duplicates import exact_duplicates, near_duplicates
from lungflag.data.audit.measure import measure_all
from lungflag.data.audit.probes import combined_probe, single_probes
from lungflag.data.manifest import LABELS
from lungflag.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lungflag.data.audit.duplicates import DuplicateGroup
    from lungflag.data.audit.measure import Measurement, Unreadable
    from lungflag.data.audit.probes import Probe
    from lungflag.data.manifest import Manifest, Row


@dataclass(frozen=True, slots=True)
class Overlap:
    """A patient who stands in more than one split, with the images there."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Stratum:
    """How many images and patients share one split, source, label and subtype."""

    split: str
    source: str
    label: str
    subtype: str
    images: int
    patients: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """The readable images' sizes under one label, in pixels.

    Attributes
    ----------
    label : str
        The label.
    images : int
        Readable images.
    distinct : int
        Different pairs of height and width.
    height, width : tuple[int, int, int]
        Smallest, median and largest.
    """

    label: str
    images: int
    distinct: int
    height: tuple[int, int, int]
    width: tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """What an audit found. `concerns` says what of it matters, and what to do.

    Attributes
    ----------
    manifest : Manifest
        What was audited.
    folder : Path
        The deepest folder that holds every image; file names are shown relative to it.
    measured : tuple[Measurement, ...]
        One for every readable file, in the manifest's order.
    unreadable : tuple[Unreadable, ...]
        The other files.
    exact, near : tuple[DuplicateGroup, ...]
        Identical files; different files with nearly the same picture.
    overlaps : tuple[Overlap, ...]
        Patients in more than one split.
    balance : tuple[Stratum, ...]
        Counts over all rows, the unreadable ones too.
    sizes : tuple[Sizes, ...]
        One for every label with readable images.
    probes : tuple[Probe, ...]
        One for every feature; empty where only one label is readable.
    combined : Probe | None
        All features together; None where it cannot be computed.
    """

    manifest: Manifest
    folder: Path
    measured: tuple[Measurement, ...]
    unreadable: tuple[Unreadable, ...]
    exact: tuple[DuplicateGroup, ...]
    near: tuple[DuplicateGroup, ...]
    overlaps: tuple[Overlap, ...]
    balance: tuple[Stratum, ...]
    sizes: tuple[Sizes, ...]
    probes: tuple[Probe, ...]
    combined: Probe | None

    @property
    def patients(self) -> int:
        """Different patients of the manifest."""
        return len({row.patient_key for row in self.manifest})


def audit_manifest(
    manifest: Manifest, *, jobs: int = 1, advance: Callable[[], object] = lambda: None
) -> Audit:
    """Audit a data set: every file is read once, and no unreadable file stops it.

    Parameters
    ----------
    manifest : Manifest
        The images.
    jobs : int
        Threads that read and measure.
    advance : Callable[[], object]
        Called after each file, for a progress bar.

    Returns
    -------
    Audit
        Its `combined` probe is None without the extra ``evidence``.
    """
    measured, unreadable = measure_all(manifest, jobs=jobs, advance=advance)
    try:
        combined = combined_probe(measured)
    except MissingExtraError:
        combined = None
    return Audit(
        manifest=manifest,
        folder=_folder(manifest),
        measured=tuple(measured),
        unreadable=tuple(unreadable),
        exact=exact_duplicates(measured),
        near=near_duplicates(measured),
        overlaps=_overlaps(manifest),
        balance=_balance(manifest),
        sizes=_sizes(measured),
        probes=single_probes(measured),
        combined=combined,
    )


def subtype(row: Row) -> str:
    """Return the free column ``subtype``; empty where it is missing or only repeats the label."""
    named = row.extra.get("subtype", "")
    return "" if named == row.label else named


def _folder(manifest: Manifest) -> Path:
    try:
        return Path(os.path.commonpath([row.path.parent for row in manifest]))
    except ValueError:  # absolute beside relative paths, or two drives
        return Path()


def _overlaps(manifest: Manifest) -> tuple[Overlap, ...]:
    rows: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in manifest:
        if row.split:
            rows[row.patient_key].append(row)
    return tuple(
        Overlap(tuple(same)) for same in rows.values() if len({row.split for row in same}) > 1
    )


def _balance(manifest: Manifest) -> tuple[Stratum, ...]:
    patients: defaultdict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for row in manifest:
        stratum = (row.split, row.source, row.label, subtype(row))
        patients[stratum].append(row.patient)
    return tuple(
        Stratum(*stratum, images=len(names), patients=len(set(names)))
        for stratum, names in sorted(patients.items())
    )


def _sizes(measured: Sequence[Measurement]) -> tuple[Sizes, ...]:
    found = []
    for label in LABELS:
        shapes = [one.features[:2] for one in measured if one.row.label == label]
        if shapes:
            array = np.stack(shapes)
            spread = np.stack([array.min(axis=0), np.median(array, axis=0), array.max(axis=0)])
            height, width = spread.astype(int).T.tolist()
            distinct = len(np.unique(array, axis=0))
            found.append(Sizes(label, len(shapes), distinct, tuple(height), tuple(width)))
    return tuple(found)
