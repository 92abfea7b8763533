from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from lungflag.data.manifest import Row
from lungflag.errors import LungflagError, MissingExtraError
from lungflag.evaluation import Prediction
from lungflag.evaluation.report import prepare_report
from lungflag.evaluation.report.page import render, write_report
from tests.evaluation.report.studies import film, predictions, report

if TYPE_CHECKING:
    from lungflag.detector import Detector

SECTIONS = (
    *("use", "headline", "cohort", "points", "discrimination", "calibration", "confusion"),
    *("benefit", "scores", "predictive", "subgroups", "shift", "rejected", "misses"),
    *("record", "methods"),
)
VOID = {"meta", "link", "img", "br", "input", "hr"}
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


class Page(HTMLParser):
    """What a browser would find: tags and attributes, and whether they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def values(self, attribute: str) -> list[str]:
        return [a[attribute] or "" for _, a in self.tags if attribute in a]


def rejected(path: Path, code: str, reason: str) -> Prediction:
    return Prediction(Row(path, "normal", path.stem), None, None, reason, code)


def check_whole(text: str) -> Page:
    """Check that every section is there, tags nest, and nothing is loaded or run."""
    page = Page(text)
    assert not page.open
    sections = [a.get("id") for tag, a in page.tags if tag == "section"]
    assert tuple(sections) == SECTIONS
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed"}
    assert not [name for _, a in page.tags for name in a if name.startswith("on")]
    assert all(src.startswith("data:image/jpeg;base64,") for src in page.values("src"))
    links = [*page.values("href"), *page.values("xlink:href")]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert not re.search(r"@import|url\((?!#)", text)
    return page


def test_every_section_is_there_and_the_page_needs_nothing_else(
    detector: Detector, tmp_path: Path
) -> None:
    some = [
        *predictions(tmp_path / "images"),
        rejected(film(tmp_path / "images" / "dark.png", 5), "inverted", "air is bright"),
        rejected(tmp_path / "gone.png", "unreadable", "no such file"),
    ]
    made = report(detector, some, by=["source", "kind", "age"])
    where = write_report(made, tmp_path / "new" / "folder")
    assert sorted(path.name for path in where.parent.iterdir()) == ["index.html", "report.json"]
    text = where.read_text(encoding="utf-8")
    page = check_whole(text)
    assert json.loads((where.parent / "report.json").read_text()) == made.record
    # 8 of each label, twice, and the one rejected image that can be shown.
    assert len(page.values("src")) == 33
    for figure in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(figure)
    # roc, precision-recall, calibration, benefit, scores, PPV, NPV; three forests a column
    assert text.count("<svg") == 7 + 9
    for words in (
        *("It makes no diagnosis", "Intended use", "Known failures and limits", "Do not use it"),
        *("tiny 1.2.0", "triage", "balanced", "Net benefit", "Calibration slope", "inverted"),
        *("air bright and bone dark", "cannot be shown", "--shift", "18 to 39 years"),
    ):
        assert words in text, words


def test_the_figures_of_the_page_are_those_of_the_record(
    detector: Detector, tmp_path: Path
) -> None:
    made = report(detector, predictions(tmp_path))
    text = render(made)
    metrics = made.record["metrics"]
    for name in ("sensitivity", "specificity", "accuracy"):
        one = metrics[name]
        assert f"<b>{100 * one['value']:.1f}%</b>" in text
        assert f"{100 * one['low']:.1f}% to {100 * one['high']:.1f}%" in text
        assert f"{one['n']} images, {one['patients']} patients" in text
    assert f"<b>{metrics['auroc']['value']:.3f}</b>" in text
    assert f"<b>{made.record['confusion_matrix']['false_negative']['count']}</b>" in text


def test_hostile_names_are_shown_and_not_obeyed(detector: Detector, tmp_path: Path) -> None:
    some = predictions(tmp_path, 24, suffix="<b onload=x>", kind=HOSTILE)
    some[0] = replace(some[0], marks=(HOSTILE,))
    some.append(rejected(tmp_path / "<script>alert(3)<\\script>\udcff\x1b[31m.png", "odd", HOSTILE))
    made = report(detector, some, by=["kind"])
    data = {**made.record["data"], "path": HOSTILE}
    record = {**made.record, "data": data, "warnings": [HOSTILE]}
    where = write_report(replace(made, record=record), tmp_path / "report")
    text = where.read_text(encoding="utf-8")
    check_whole(text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "\x1b" not in text
    json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("n", "share"), [(12, 1.0), (12, 0.0), (2, 0.5), (1, 1.0)])
def test_one_class_and_a_handful_of_images(
    detector: Detector, tmp_path: Path, n: int, share: float
) -> None:
    made = report(detector, predictions(tmp_path, n, share=share), by=["kind"])
    text = render(made)
    check_whole(text)
    if share in (0.0, 1.0):
        assert made.curves is None
        assert "a curve needs both" in text
        assert "not defined: no" in text


def test_the_shift_bench_is_drawn_where_it_was_run(detector: Detector, tmp_path: Path) -> None:
    from lungflag.data.manifest import Manifest
    from lungflag.evaluation.shift import run_shift

    some = predictions(tmp_path, 16, subtype="virus")
    for i, one in enumerate(some):
        film(one.row.path, i)
    bench = run_shift(
        detector,
        Manifest(tuple(one.row for one in some)),
        corruptions=["noise", "equalised"],
        severities=[1, 3],
        resamples=50,
    )
    text = render(report(detector, some, shift=bench.to_dict()))
    check_whole(text)
    assert "at severity 3" in text
    assert "Grey levels alone" in text
    assert text.count('<table class="bench">') == 3
    assert bench.row("noise", 3).auroc.value is not None
    assert f">{bench.row('noise', 3).auroc.value:.3f}<" in text


def test_a_folder_that_cannot_hold_the_report_is_an_error_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(LungflagError, match="file: cannot hold the report"):
        prepare_report(tmp_path / "file")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"lungflag\[evidence\]"):
        prepare_report(tmp_path)
