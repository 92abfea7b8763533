"""How `lungflag detect` shows its rows: a table for a person, lines for a program."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from lungflag.outputs.table import Row

WHOLE = 50
"""Up to so many rows, all are shown, in order."""

_FIXED = len("not flagged") + len("probability") + 3 * 2  # columns and the gaps between four
_STYLES = {"FLAGGED": "bold red", "not flagged": "green", "rejected": "yellow"}


@dataclass
class Tally:
    """Counts all rows and keeps no more of them than will be shown."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    marked: int = 0
    first: dict[str, list[tuple[int, Row]]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count one row."""
        word = verdict(row)
        kept = self.first.setdefault(word, [])
        if len(kept) < WHOLE:
            kept.append((self.total, row))
        self.counts[word] += 1
        if row["reason"] is not None:
            self.reasons[str(row["reason"])] += 1
        self.marked += row["marks"] is not None

    @property
    def total(self) -> int:
        """The number of rows so far."""
        return self.counts.total()

    def shown(self) -> list[Row]:
        """Return all rows in order, or of many the first flagged and rejected ones."""
        if self.total <= WHOLE:
            return [row for _, row in sorted(chain(*self.first.values()), key=itemgetter(0))]
        # Half the room for each: many of one kind must not push the other out of sight.
        kinds = (self.first.get(word, [])[: WHOLE // 2] for word in ("FLAGGED", "rejected"))
        return [row for _, row in chain(*kinds)]

    def summary(self, seconds: float) -> str:
        """Return the counts, the rejections' reasons and the speed, in one line."""
        flagged, negative, rejected = (
            self.counts[word] for word in ("FLAGGED", "not flagged", "rejected")
        )
        line = (
            f"{self.total} {'input' if self.total == 1 else 'inputs'}: {flagged} flagged, "
            f"{negative} not flagged, {rejected} rejected"
        )
        if self.reasons:
            common = self.reasons.most_common(3)
            named = [f"{reason}: {n}" for reason, n in common]
            others = rejected - sum(n for _, n in common)
            line += f" ({'; '.join([*named, f'other reasons: {others}'] if others else named)})"
        if self.marked:
            line += f"; {self.marked} marked, see the remarks"
        return f"{line}; {self.total / max(seconds, 1e-9):.1f} images/s"


def verdict(row: Row) -> str:
    """Return the row's result in words."""
    if row["flagged"] is None:
        return "rejected"
    return "FLAGGED" if row["flagged"] else "not flagged"


def to_line(row: Row) -> str:
    """Return a row for a pipe: verdict, probability, path and remark, between tabs."""
    probability = "" if row["probability"] is None else f"{row['probability']:.4f}"
    cells = (verdict(row), probability, row["path"], _remark(row))
    return "\t".join(_plain(str(cell)) for cell in cells)


def show(tally: Tally, console: Console) -> int:
    """Print the rows that are worth a look and return how many were left out."""
    rows = tally.shown()
    remarks = max((len(_remark(row)) for row in rows), default=0)
    beside = _FIXED + min(remarks, console.width // 2 - 14)
    room = max(20, console.width - beside)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("result", no_wrap=True)
    table.add_column("probability", justify="right", no_wrap=True)
    table.add_column("path", no_wrap=True)
    if remarks:
        table.add_column("remark", overflow="fold")
    for row in rows:
        word = verdict(row)
        probability = "" if row["probability"] is None else f"{row['probability']:.3f}"
        cells = [
            Text(word, _STYLES[word]),
            Text(probability),
            Text(shorten(str(row["path"]), room)),
        ]
        table.add_row(*cells, *([Text(_plain(_remark(row)))] if remarks else []))
    if rows:
        console.print(table)
    return tally.total - len(rows)


def _remark(row: Row) -> str:
    """Return a rejection's reason or a finding's marks."""
    return str(row["reason"] or row["marks"] or "")


def shorten(path: str, room: int) -> str:
    """Return the path's end where the whole has no room: the file's name matters most."""
    path = _plain(path)
    if cell_len(path) <= room:
        return path
    while cell_len(path) > room - 1:
        path = path[1:]
    return f"…{path}"


def _plain(text: str) -> str:
    """Replace what would break a line or steer a terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)
