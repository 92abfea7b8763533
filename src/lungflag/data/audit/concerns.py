"""What an audit's findings mean, and what to do about each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lungflag.data.audit.measure import FEATURES
from lungflag.data.manifest import LABELS, SPLITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lungflag.data.audit.duplicates import DuplicateGroup
    from lungflag.data.audit.result import Audit
    from lungflag.data.manifest import Row

Level = Literal["leak", "error", "warning", "note"]

SHORTCUT_AUC = 0.6
"""A probe is a warning when its whole 95% interval lies above this."""


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that a person should know before training on the data.

    Attributes
    ----------
    level : str
        ``leak`` and ``error`` need a person before anything else; ``warning`` needs judgement;
        ``note`` is good to know.
    title : str
        What was found, with its count.
    remedy : str
        What to do about it.
    items : tuple[str, ...]
        Every case, one printable line each.
    """

    level: Level
    title: str
    remedy: str
    items: tuple[str, ...] = ()

    @property
    def needs_person(self) -> bool:
        """Whether the command ends with exit code 1."""
        return self.level in ("leak", "error")


def concerns(audit: Audit) -> tuple[Concern, ...]:
    """Judge an audit, the gravest first."""
    return (*_leaks(audit), *_errors(audit), *_warnings(audit), *_notes(audit))


def verdict(audit: Audit) -> str:
    """Say in one sentence whether test figures on this data could be trusted."""
    present = {row.split for row in audit.manifest}
    splits = [split for split in SPLITS if split and split in present]
    if any(_leaks(audit)):
        return "Leak: what a model learns from one split stands in another."
    if len(splits) > 1:
        return f"No leak found between {', '.join(splits[:-1])} and {splits[-1]}."
    return "No leak to look for: the rows stand in one split, or in none."


def plain(text: str | Path) -> str:
    """Return `text` on one printable line: control and undecodable characters are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def named(audit: Audit, row: Row) -> str:
    """Return a row's file name, relative to the data's folder, as one printable line."""
    path = row.path
    return plain(path.relative_to(audit.folder) if path.is_relative_to(audit.folder) else path)


def _leaks(audit: Audit) -> Iterator[Concern]:
    if audit.overlaps:
        yield Concern(
            "leak",
            f"{_count(len(audit.overlaps), 'patient')} on both sides of a split",
            "Split anew by patient (lungflag data split), or correct the patient names.",
            tuple(_overlap(one.rows) for one in audit.overlaps),
        )
    for groups, what in ((audit.exact, "identical"), (audit.near, "nearly identical")):
        across = [group for group in groups if group.crosses_splits]
        if across:
            yield Concern(
                "leak",
                _pictures(across, "in more than one split", what),
                "Keep each picture in one split: remove the copies outside it.",
                _described(audit, across),
            )


def _errors(audit: Audit) -> Iterator[Concern]:
    if audit.unreadable:
        yield Concern(
            "error",
            _count(len(audit.unreadable), "unreadable file"),
            "Fetch them anew or strike them from the manifest.",
            tuple(f"{named(audit, one.row)}: {plain(one.reason)}" for one in audit.unreadable),
        )
    conflicting = [group for group in audit.exact if group.labels_differ]
    if conflicting:
        yield Concern(
            "error",
            _pictures(conflicting, f"called both {LABELS[0]} and {LABELS[1]}", "identical"),
            "One label is wrong: ask a reader which, and keep one copy.",
            _described(audit, conflicting),
        )


def _warnings(audit: Audit) -> Iterator[Concern]:
    conflicting = [group for group in audit.near if group.labels_differ]
    if conflicting:
        yield Concern(
            "warning",
            _pictures(conflicting, f"called both {LABELS[0]} and {LABELS[1]}", "nearly identical"),
            "Look at each: one exposure stored twice has one true label.",
            _described(audit, conflicting),
        )
    parted = [group for group in (*audit.exact, *audit.near) if group.crosses_patients]
    if parted:
        yield Concern(
            "warning",
            _pictures(parted, "under more than one patient", "identical or nearly identical"),
            "Give the copies one patient name, or keep one: a later split could part them.",
            _described(audit, parted),
        )
    lacking = tuple(_lacking(audit))
    if lacking:
        yield Concern(
            "warning",
            "A split or source lacks a label",
            "Figures on it cannot be computed, or the source alone tells the label.",
            lacking,
        )
    shortcuts = tuple(_shortcuts(audit))
    if shortcuts:
        yield Concern(
            "warning",
            f"{_count(len(shortcuts), 'shortcut')}: properties that predict the label",
            "Take them from the network (squash to a square, stretch the grey scale, augment) and "
            "judge the model on another hospital, where the shortcut does not hold.",
            shortcuts,
        )


def _notes(audit: Audit) -> Iterator[Concern]:
    for groups, what in ((audit.exact, "identical"), (audit.near, "nearly identical")):
        inside = [one for one in groups if not (one.crosses_splits or one.crosses_patients)]
        if inside:
            yield Concern(
                "note",
                _pictures(inside, "of one patient in one split", what),
                "No leak: such a picture counts more than once. Keep one copy if that matters.",
                _described(audit, inside),
            )
    if not any(row.split for row in audit.manifest):
        yield Concern(
            "note",
            "The rows have no split yet",
            "Split by patient (lungflag data split), then audit the result.",
        )


def _pictures(groups: Sequence[DuplicateGroup], how: str, what: str) -> str:
    files = sum(len(group.rows) for group in groups)
    return f"{_count(len(groups), 'picture')} {how} ({files:,} {what} files)"


def _described(audit: Audit, groups: Sequence[DuplicateGroup]) -> tuple[str, ...]:
    return tuple(
        " = ".join(f"{named(audit, row)} ({_where(row)})" for row in group.rows)
        + ("" if group.identical else f", {group.kinship}")
        for group in groups
    )


def _where(row: Row) -> str:
    return ", ".join(plain(part) for part in (row.split, row.label, row.patient) if part)


def _overlap(rows: Sequence[Row]) -> str:
    counts: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        counts[row.split] += 1
    images = ", ".join(f"{n} in {split}" for split, n in sorted(counts.items()))
    return f"{plain(' '.join(filter(None, rows[0].patient_key)))}: {images}"


def _lacking(audit: Audit) -> Iterator[str]:
    for column in ("split", "source"):
        values = sorted({getattr(row, column) for row in audit.manifest})
        for value in values:
            labels = {row.label for row in audit.manifest if getattr(row, column) == value}
            if len(labels) < len(LABELS):
                where = f"{column} {plain(value)}" if value else f"the rows without a {column}"
                yield f"{where}: only {labels.pop()}"


def _shortcuts(audit: Audit) -> Iterator[str]:
    titles = {feature.name: feature.title for feature in FEATURES}
    alone = sorted(audit.probes, key=lambda probe: -probe.auc)
    for probe in (*alone, *filter(None, [audit.combined])):
        # Without an interval only a property that parts the labels completely is a warning.
        low = probe.interval[0] if probe.interval else probe.auc - (probe.auc < 1)
        if low > SHORTCUT_AUC:
            title = titles.get(probe.feature, "all together, cross-validated")
            side = f", larger in {probe.higher_in}" if probe.higher_in else ""
            yield f"{title}: AUC {probe.auc:.3f}{side}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
