"""`lungflag reference`, and what drift then shows of phantoms."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from lungflag.detector import Detector
from lungflag.package import ModelPackage, find_package
from lungflag.phantom import make_phantom
from lungflag.radiograph import Radiograph
from lungflag.reference import grey_statistics, shorten
from lungflag.station.quality.energy import energy_distance
from lungflag.station.quality.stability import stability
from tests.cli.commands import Command

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture
def lungflag(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command((), monkeypatch, capsys)


@pytest.mark.slow
def test_a_package_gets_its_reference(tmp_path: Path, lungflag: Command) -> None:
    shutil.copytree(find_package("phantom"), tmp_path / "ours")
    lungflag("data", "phantom", str(tmp_path / "films"), "--n", "110", "--size", "128")
    before = ModelPackage.read(tmp_path / "ours")
    done = lungflag("reference", str(tmp_path / "ours"), str(tmp_path / "films"), "--split", "all")
    assert done.code == 0, done.err
    after = ModelPackage.read(tmp_path / "ours")
    reference = after.reference()
    assert reference is not None
    assert len(reference) == 110
    assert after.graph_bytes() == before.graph_bytes()
    # Made of the same logits that the detector works with.
    detector = Detector.load(tmp_path / "ours")
    films = sorted((tmp_path / "films").glob("*.png"))
    squares = [after.preprocess(np.asarray(Image.open(film), np.float32)) for film in films]
    logits, _, embeddings = detector.infer(np.stack(squares)[:, None])
    np.testing.assert_allclose(np.sort(reference.logit), np.sort(logits), atol=0.05)
    assert reference.dimension == embeddings.shape[1]


def test_too_few_films_are_refused(tmp_path: Path, lungflag: Command) -> None:
    shutil.copytree(find_package("phantom"), tmp_path / "ours")
    lungflag("data", "phantom", str(tmp_path / "films"), "--n", "4", "--size", "64")
    done = lungflag("reference", str(tmp_path / "ours"), str(tmp_path / "films"), "--split", "all")
    assert done.code == 2
    assert ModelPackage.read(tmp_path / "ours").digest == (
        ModelPackage.read(find_package("phantom")).digest
    )


@pytest.mark.slow
def test_alarms_ring_on_spoilt_phantoms_and_on_no_others() -> None:
    """The shipped package, against new phantoms and against ones seen by a worse machine."""
    detector = Detector.load("phantom")
    reference = detector.package.reference()
    assert reference is not None
    calibration = detector.package.calibration
    scores = np.array([calibration(float(logit)) for logit in reference.logit])
    rng = np.random.default_rng(0)

    def see(films: list[NDArray[np.float32]]) -> tuple[bool, bool, bool]:
        judged = [detector.detect(Radiograph(film, "film")) for film in films]
        grey = np.array([grey_statistics(detector.package.preprocess(film)) for film in films])
        seen = shorten(np.stack([one.embedding for one in judged]))
        return (
            stability(scores, np.array([one.probability for one in judged])).alarm,
            any(
                stability(old, grey[:, i]).alarm
                for i, old in enumerate((reference.grey_mean, reference.grey_std))
            ),
            energy_distance(reference.embedding, seen).alarm,
        )

    good = [make_phantom(90_000 + i, pneumonia=i % 2 == 1, size=256).pixels for i in range(120)]
    assert see(good) == (False, False, False)
    ill = [make_phantom(91_000 + i, pneumonia=True, size=256).pixels for i in range(100)]
    assert see(ill)[0]  # another mix of cases moves the scores
    spoilt = [np.sqrt(film - film.min()) + rng.normal(0, 0.5, film.shape) for film in good[:100]]
    _, grey, seen = see([film.astype(np.float32) for film in spoilt])
    assert grey
    assert seen
