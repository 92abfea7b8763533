from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lungflag.card import add_evidence, read_evaluation, render
from lungflag.card.claim import CLAIM
from lungflag.card.guidelines import FACTS, Item, answer
from lungflag.card.tripod import TRIPOD_AI
from lungflag.package import ModelPackage, find_package, shipped_packages
from lungflag.prevalence import PREVALENCES
from lungflag.quality import ValidatedUse
from tests.card.evaluations import evaluation

if TYPE_CHECKING:
    from tests.packages import PackageMaker

ROOT = Path(__file__).parents[2]
SECTIONS = (
    "Intended use", "Do not use it", "Known failures and limits", "Operating points", "Evidence",
    "Predictive values", "Calibration", "Development figures", "What it refuses",
    "How it was made", "TRIPOD+AI", "CLAIM 2024",
)  # fmt: skip


def sections(card: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", card, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture
def proven(tiny_package: ModelPackage, tmp_path: Path) -> ModelPackage:
    """A package with a good evaluation and one of no use."""
    good = evaluation(tiny_package, tmp_path / "good.json", strength=5, source="north")
    bad = evaluation(tiny_package, tmp_path / "bad.json", strength=0, source="south")
    return add_evidence(
        tiny_package,
        [read_evaluation(path, tiny_package, date="2026-01-02") for path in (good, bad)],
    )


def test_every_section_is_there_and_a_bare_package_says_what_nobody_measured(
    tiny_package: ModelPackage,
) -> None:
    card = render(tiny_package)
    found = sections(card)
    assert tuple(found) == SECTIONS
    assert card.startswith("# tiny 1.2.0\n")
    assert "It is not a diagnosis" in card
    assert "no evaluation of this package is on record" in found["Evidence"]
    assert "Not measured" in found["Calibration"]
    assert "Not measured" in found["Development figures"]
    assert (
        "how it does at hospitals that it was not trained on" in found["Known failures and limits"]
    )
    assert "There is no quality gate" in found["What it refuses"]
    assert "{" not in card


def test_each_table_is_whole(proven: ModelPackage) -> None:
    """Every row of a table has as many cells as its head."""
    width = 0
    for line in render(proven).splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not (cells and width) or cells == width, line
        width = cells


def test_evidence_stands_with_intervals_and_in_words(proven: ModelPackage) -> None:
    text = sections(render(proven))["Evidence"]
    assert "### north.csv, split test" in text
    assert "61 images of 61 patients; judged 30 normal, 30 pneumonia; rejected 1" in text
    assert re.search(r"\| AUROC \| \d\.\d{3} \(\d\.\d{3} to \d\.\d{3}\) \| 60 \|", text)
    assert re.search(r"\| balanced \| .* misses \S+ \(\S+ to \S+\) in 100 with pneumonia", text)
    assert "| sex = F |" in text
    assert "none of the training images come from there" in text
    assert "(shift bench): not measured here" in text


def test_a_failure_at_a_hospital_is_said_first_and_loudly(proven: ModelPackage) -> None:
    text = sections(render(proven))["Known failures and limits"].strip()
    assert text.startswith(
        "- On north.csv it refused 1 of 61 radiographs.\n"
        "- **On south.csv it tells pneumonia from normal hardly better than a coin**"
    )
    assert re.search(r"On south\.csv it flags \S+ \(\S+ to \S+\) in 100 normal ones", text)
    assert "hospitals that it was not trained on" not in text  # it was measured there


def test_predictive_values_have_a_row_a_prevalence_and_intervals(proven: ModelPackage) -> None:
    text = sections(render(proven))["Predictive values"]
    rows = [line for line in text.splitlines() if re.match(r"\| \d+% ", line)]
    assert len(rows) == len(PREVALENCES)
    assert all(len(re.findall(r"\S+ \(\S+ to \S+\)", row)) == 4 for row in rows)
    assert "north.csv: PPV" in text


def test_ages_and_hospitals_bound_the_use(tmp_path: Path, make_package: PackageMaker) -> None:
    use = ValidatedUse(ages=(1, 5), hospitals=("north",), views=("AP",))
    found = sections(render(make_package(tmp_path / "p", validated=use)))
    assert "hospitals: north; ages: 1 to 5 years; views: AP" in found["Intended use"]
    assert "younger than 1 or older than 5 years" in found["Do not use it"]


def test_a_name_cannot_break_a_table(tmp_path: Path, make_package: PackageMaker) -> None:
    data = {"name": "a|b\nc", "licence": "-", "citation": "-", "images": 1, "patients": 1}
    card = render(make_package(tmp_path / "p", training_data=(data,)))
    assert "| a\\|b c | 1 | 1 |" in card


@pytest.mark.parametrize("name", shipped_packages())
def test_a_shipped_package_has_a_whole_card(name: str) -> None:
    found = sections(render(ModelPackage.read(find_package(name))))
    assert set(SECTIONS) <= set(found)


def test_the_guidelines_are_whole() -> None:
    parts = {
        3: "abc",
        5: "ab",
        6: "abc",
        8: "abc",
        9: "abc",
        12: "abcdefg",
        18: "abcdef",
        20: "abc",
        23: "ab",
        27: "abc",
    }
    numbers = [f"{n}{part}" for n in range(1, 28) for part in parts.get(n, " ")]
    assert [item.number for item in TRIPOD_AI] == [number.strip() for number in numbers]
    assert [item.number for item in CLAIM] == [str(n) for n in range(1, 45)]


def test_an_item_names_a_place_that_exists_or_says_why_not(proven: ModelPackage) -> None:
    titles = {*sections(render(_everything(proven))), "title and Intended use"}
    for item in (*TRIPOD_AI, *CLAIM):
        assert item.where or item.gap
        assert item.needs in {"", *FACTS}
        for place in re.findall(r"Card: ([^;(]+)", item.where):
            assert place.strip() in titles, place
        for name in re.findall(r"(?:docs|runs)/\w+\.md|README", item.where):
            assert name in COMING or (ROOT / name.replace("README", "README.md")).is_file(), name


COMING = {"docs/quality.md", "docs/comparing.md"}


def _everything(package: ModelPackage) -> ModelPackage:
    """Return the package as if it had been recalibrated, so that every section is there."""
    estimate = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 9}
    point = {"sensitivity": estimate, "specificity": estimate, "threshold": 0.5}
    names = ("calibration_error", "brier", "slope", "intercept")
    state = {**dict.fromkeys(names, estimate), "points": {"triage": point}}
    record = {
        "name": "tiny", "version": "1", "digest": "0" * 64, "date": "2026-01-02", "data": "x.csv",
        "split": "all", "folds": 5, "before": state, "after": state, "warnings": ["too small"],
        "images": {"normal": 5, "pneumonia": 4, "rejected": 0},
        "patients": {"normal": 5, "pneumonia": 4, "all": 9},
    }  # fmt: skip
    return replace(package, provenance={**package.provenance, "derived_from": record})


def test_what_is_missing_turns_answers_into_noes(
    tiny_package: ModelPackage, proven: ModelPackage
) -> None:
    def row(card: str, guideline: str, number: str) -> str:
        (line,) = re.findall(rf"^\| {number} \|.*$", sections(card)[guideline], re.MULTILINE)
        return str(line)

    bare, full = render(tiny_package), render(proven)
    assert "| no | no evaluation on record |" in row(bare, "CLAIM 2024", "38")
    assert "| yes | Card: Evidence |" in row(full, "CLAIM 2024", "38")
    assert "| no |" in row(bare, "TRIPOD+AI", "23b")
    assert "| yes |" in row(full, "TRIPOD+AI", "23b")
    assert "| no | the package was not recalibrated |" in row(full, "TRIPOD+AI", "24")
    assert "| yes |" in row(render(_everything(proven)), "TRIPOD+AI", "24")


def test_an_answer_in_part_names_its_gap() -> None:
    assert answer(Item("1", "t", "here", gap="there"), frozenset()) == (
        "partly",
        "here. Not answered: there",
    )
    assert answer(Item("1", "t", "here", needs="shift"), frozenset()) == ("no", FACTS["shift"])
