"""No cell of the table is a formula."""

from __future__ import annotations

import csv
import io

from hypothesis import example, given
from hypothesis import strategies as st

from lungflag.station.quality.table import harmless


@given(st.text(max_size=60))
@example("=cmd|' /C calc'!A0")
@example("  =1+1")
@example("\t@SUM(A1)")
@example("\uff1d1+1")
def test_no_cell_begins_a_formula(text: str) -> None:
    cell = harmless(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d"))
    assert cell.isprintable()
    target = io.StringIO()
    csv.writer(target).writerow(["site", cell, "n"])
    (row,) = csv.reader(io.StringIO(target.getvalue()))
    assert row == ["site", cell, "n"]


@given(st.from_regex(r"[A-Za-zÄÖÜäöü][A-Za-z0-9 ().,]{0,30}", fullmatch=True))
def test_plain_names_stay_as_they_are(name: str) -> None:
    assert harmless(name) == name
