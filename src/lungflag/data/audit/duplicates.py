"""The same picture twice: identical files by hash, near-identical images by correlation."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lungflag.data.audit.measure import Measurement
    from lungflag.data.manifest import Row

NEAR = 0.99
"""Correlation of two 32x32 thumbnails from which they count as one picture.

Measured on real radiographs: over 13.6 million pairs of different files of a paediatric set the
highest correlation was 0.975, over 122,000 pairs of an adult set 0.959; re-encoding as JPEG of
quality 30, or halving the sides, left at least 0.998 (docs/audit.md).
"""

_BLOCK = 512  # rows of the correlation matrix held at a time


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Images that show the same picture.

    Attributes
    ----------
    rows : tuple[Row, ...]
        Two or more, in the manifest's order.
    identical : bool
        Whether the files are byte for byte the same.
    correlation : float
        The lowest correlation that ties the group together; 1 for identical files.
    """

    rows: tuple[Row, ...]
    identical: bool
    correlation: float

    @property
    def kinship(self) -> str:
        """How alike the images are, in words."""
        return "identical files" if self.identical else f"correlation {self.correlation:.4f}"

    @property
    def crosses_splits(self) -> bool:
        """Whether the picture stands in more than one split. No split counts for none."""
        return len({row.split for row in self.rows if row.split}) > 1

    @property
    def crosses_patients(self) -> bool:
        """Whether the picture goes by more than one patient."""
        return len({row.patient_key for row in self.rows}) > 1

    @property
    def labels_differ(self) -> bool:
        """Whether the picture is called both normal and pneumonia."""
        return len({row.label for row in self.rows}) > 1


def exact_duplicates(measured: Sequence[Measurement]) -> tuple[DuplicateGroup, ...]:
    """Group files with the same SHA-256."""
    return tuple(
        DuplicateGroup(tuple(one.row for one in same), identical=True, correlation=1.0)
        for same in _by_hash(measured)
        if len(same) > 1
    )


def near_duplicates(
    measured: Sequence[Measurement], *, threshold: float = NEAR
) -> tuple[DuplicateGroup, ...]:
    """Group different files whose thumbnails correlate at `threshold` or above.

    Groups are the connected components of that relation (single linkage). A file that also has
    identical copies brings them into the group. Groups come with the highest correlation first.
    """
    files = _by_hash(measured)
    if not files:
        return ()
    thumbnails = np.stack([same[0].thumbnail for same in files])
    parent = list(range(len(files)))
    lowest: dict[int, float] = {}
    for first, second, correlation in _links(thumbnails, threshold):
        a, b = _root(parent, first), _root(parent, second)
        low, high = min(a, b), max(a, b)
        parent[high] = low
        lowest[low] = min(correlation, lowest.get(low, 1.0), lowest.get(high, 1.0))
    members: defaultdict[int, list[int]] = defaultdict(list)
    for index in range(len(files)):
        members[_root(parent, index)].append(index)
    groups = [
        DuplicateGroup(
            tuple(one.row for index in group for one in files[index]),
            identical=False,
            correlation=lowest[root],
        )
        for root, group in members.items()
        if len(group) > 1
    ]
    return tuple(sorted(groups, key=lambda group: -group.correlation))


def _by_hash(measured: Sequence[Measurement]) -> list[list[Measurement]]:
    same: defaultdict[str, list[Measurement]] = defaultdict(list)
    for one in measured:
        same[one.sha256].append(one)
    return list(same.values())


def _links(thumbnails: NDArray[np.float32], threshold: float) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs (first < second) at or above `threshold`, a block of rows at a time."""
    for start in range(0, len(thumbnails), _BLOCK):
        correlations = thumbnails[start : start + _BLOCK] @ thumbnails[start:].T
        for i, j in np.argwhere(np.triu(correlations, 1) >= threshold).tolist():
            yield start + i, start + j, min(1.0, float(correlations[i, j]))


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index
