from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser
from importlib.abc import MetaPathFinder
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lungflag.data.audit import FEATURES, prepare_report, write_report
from lungflag.data.audit.concerns import plain
from lungflag.data.manifest import Row
from lungflag.errors import LungflagError, MissingExtraError
from tests.data.audit.sets import Folder, scene


class Page(HTMLParser):
    """The tags and the text that a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


EVIL = "<img src=x onerror=alert(1)>\"'&\n\x1b[31m$x_1$${title}"


@dataclass(frozen=True)
class Reported:
    rows: list[Row]
    folder: Path


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """Return the report on a set with a leak, an unreadable file and hostile names."""
    base = tmp_path_factory.mktemp("leaky")
    folder = Folder(base)
    folder.crowd(8, "train")
    folder.crowd(2, "tune", seed=2000)
    file = folder.add(f"{EVIL}.png", scene(1000), compress_level=1)
    folder.rows[-1] = Row(file, "pneumonia", EVIL, "test", EVIL, {"subtype": EVIL})
    folder.add("\udcffempty.png", b"", "normal", "\udcff", "test")
    write_report(folder.audit(), base / "report", title=EVIL)
    return Reported(folder.rows, base / "report")


def test_the_page_stands_alone_and_escapes_every_name(report: Reported) -> None:
    html = (report.folder / "audit.html").read_text(encoding="utf-8")
    page = Page(html)
    tags = Counter(tag for tag, _ in page.tags)
    assert tags["script"] == tags["link"] == 0
    assert tags["img"] > 15
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        if tag == "img":
            assert str(attributes["src"]).startswith("data:image/")
    assert plain(EVIL) in page.text
    assert "\x1b" not in html
    assert "1 unreadable" in page.text
    assert page.text.index("Leak:") < page.text.index("Findings")


def test_the_json_holds_everything(report: Reported) -> None:
    found = json.loads((report.folder / "audit.json").read_bytes())
    assert found["needs_person"] is True
    assert found["images"] == len(report.rows)
    assert found["readable"] == len(report.rows) - 1
    assert [one["path"] for one in found["unreadable"]] == [str(report.rows[-1].path)]
    (near,) = found["near_duplicates"]
    assert [one["path"] for one in near["files"]] == [
        str(report.rows[0].path),
        str(report.rows[-2].path),
    ]
    assert near["files"][1]["patient"] == EVIL
    assert len(found["probes"]) == len(FEATURES)
    assert {one["level"] for one in found["concerns"]} >= {"leak", "error"}


@pytest.mark.parametrize("name", ["samples.png", "classes.png", "duplicates.png"])
def test_each_picture_can_be_opened_and_shows_something(report: Reported, name: str) -> None:
    with Image.open(report.folder / name) as image:
        grey = np.asarray(image.convert("L"))
    assert min(grey.shape) > 150
    assert grey.std() > 10


def test_a_picture_of_an_earlier_audit_is_not_left_over(folder: Folder, tmp_path: Path) -> None:
    folder.crowd(2)
    stale = tmp_path / "report" / "duplicates.png"
    stale.parent.mkdir()
    stale.write_bytes(b"of an earlier audit")
    write_report(folder.audit(), stale.parent, title="sound")
    assert not stale.exists()


def test_a_report_that_cannot_be_written_is_one_error(folder: Folder, tmp_path: Path) -> None:
    folder.crowd(2)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LungflagError, match="cannot hold the report"):
        prepare_report(tmp_path / "file")
    (tmp_path / "report" / "audit.json").mkdir(parents=True)
    with pytest.raises(LungflagError, match="cannot write the report"):
        write_report(folder.audit(), tmp_path / "report", title="none")


class Hidden(MetaPathFinder):
    """Makes packages look as if they were not installed."""

    def __init__(self, *packages: str) -> None:
        self.packages = packages

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname.partition(".")[0] in self.packages:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def test_without_the_extra_only_the_combined_probe_is_missing(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.crowd(8)
    hidden = Hidden("sklearn", "scipy", "matplotlib")
    for name in list(sys.modules):
        if name.partition(".")[0] in hidden.packages:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [hidden, *sys.meta_path])
    audit = folder.audit()
    assert audit.combined is None
    assert len(audit.probes) == len(FEATURES)
    with pytest.raises(MissingExtraError, match="evidence"):
        write_report(audit, tmp_path / "report", title="none")
    assert not (tmp_path / "report").exists()


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=40))
def test_a_plain_text_is_one_printable_line(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    shown.encode("utf-8")
    if text.isprintable():
        assert shown == text
