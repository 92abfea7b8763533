"""Training on synthetic radiographs: small, real, and killed on purpose."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lungflag.data.manifest import Manifest, Row
from lungflag.errors import TrainingError
from lungflag.phantom import make_phantom, write_png
from lungflag.preprocess import Preprocess
from lungflag.training.cache import CachedData, cache_images
from lungflag.training.centred import CentredNetwork
from lungflag.training.datamodule import RadiographData
from lungflag.training.export import run_onnx, run_torch, to_onnx
from lungflag.training.fit import fit, stack, with_tune_split
from lungflag.training.lungs import WholeFrame
from lungflag.training.recipe import Recipe

RECIPE = Recipe(
    backbone="test_efficientnet", weights="none", image_size=64, epochs=3, freeze_epochs=1,
    batch_size=8, patience=0, precision="32-true",
)  # fmt: skip


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("phantoms")
    rows = []
    for seed in range(24):
        positive = seed % 2 == 1
        write_png(make_phantom(seed, pneumonia=positive, size=128), folder / f"{seed}.png")
        split = "tune" if seed >= 16 else "train"
        label = "pneumonia" if positive else "normal"
        rows.append(Row(folder / f"{seed}.png", label, f"p{seed}", split, "phantom"))
    manifest = Manifest(tuple(rows))
    manifest.write(folder / "manifest.csv")
    return manifest


@pytest.fixture(scope="module")
def data(phantoms: Manifest, tmp_path_factory: pytest.TempPathFactory) -> CachedData:
    return cache_images(phantoms, Preprocess(size=64), tmp_path_factory.mktemp("cache"))


def _weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().double().flatten() for p in network.parameters()])


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network(data: CachedData, tmp_path: Path) -> None:
    first = fit(RECIPE, data, tmp_path / "a", workers=0, show=False)
    again = fit(RECIPE, data, tmp_path / "b", workers=0, show=False)
    assert torch.equal(_weights(first.network), _weights(again.network))
    assert [epoch["epoch"] for epoch in first.epochs] == [0, 1, 2]
    assert (tmp_path / "a" / "curves.png").stat().st_size > 5_000
    assert list((tmp_path / "a" / "tensorboard").rglob("events.*"))


_KILLED = """
import os, signal, sys
from pathlib import Path
import lightning
from lungflag.training import fit as room
from lungflag.training.cache import cache_images
from lungflag.data.manifest import Manifest
from lungflag.preprocess import Preprocess
from lungflag.training.lit import PneumoniaClassifier
from tests.training.test_fit import RECIPE

deadly = int(sys.argv[3])
step = PneumoniaClassifier.training_step
def dying(self, batch, index):
    if self.global_step == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, index)
PneumoniaClassifier.training_step = dying
data = cache_images(Manifest.read(Path(sys.argv[1])), Preprocess(size=64), Path(sys.argv[2]) / "c")
room.fit(RECIPE, data, Path(sys.argv[2]) / "run", workers=0, show=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("deadly", [1, 2, 3, 5])
def test_a_killed_training_goes_on_to_the_same_network(
    deadly: int, phantoms: Manifest, data: CachedData, tmp_path: Path
) -> None:
    """SIGKILL within the first epoch, at an epoch's border, and within later ones."""
    manifest = phantoms.rows[0].path.parent / "manifest.csv"
    root = Path(__file__).parents[2]
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(manifest), str(tmp_path), str(deadly)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    resumed = fit(RECIPE, data, tmp_path / "run", workers=0, show=False)
    whole = fit(RECIPE, data, tmp_path / "whole", workers=0, show=False)
    assert torch.equal(_weights(resumed.network), _weights(whole.network))
    assert [e["train_loss"] for e in resumed.epochs] == [e["train_loss"] for e in whole.epochs]


@pytest.mark.slow
def test_early_stopping_ships_the_best_epoch(data: CachedData, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=6, patience=1, freeze_epochs=0)
    fitted = fit(recipe, data, tmp_path / "run", workers=0, show=False)
    tune = [image for image in data.images if image.row.split == "tune"]
    logits = run_torch(fitted.network, [stack(tune)])
    positive = np.array([image.row.positive for image in tune])
    auroc = (logits[positive][:, None] > logits[~positive]).mean()
    assert auroc == pytest.approx(max(epoch["tune_auroc"] for epoch in fitted.epochs))


@pytest.mark.slow
@pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\..*")  # Ray warns of itself
@pytest.mark.filterwarnings(r"ignore::FutureWarning:ray\..*")
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_processes_train_one_network_and_judge_each_image_once(
    engine: str, data: CachedData, tmp_path: Path
) -> None:
    tune = [image for image in data.images if image.row.split == "tune"]
    odd = len(tune) - 1 + len(tune) % 2  # two processes cannot share them evenly
    images = tuple(image for image in data.images if image not in tune[odd:])
    recipe = replace(RECIPE, processes=2, batch_size=RECIPE.batch_size // 2)
    shown = CachedData(images, data.rejected)
    fitted = fit(recipe, shown, tmp_path / "run", workers=0, show=False, engine=engine)
    assert len(fitted.epochs) == RECIPE.epochs
    logits = run_torch(fitted.network, [stack(tune[:odd])])
    positive = np.array([image.row.positive for image in tune[:odd]])
    auroc = (logits[positive][:, None] > logits[~positive]).mean()
    assert auroc == pytest.approx(fitted.epochs[-1]["tune_auroc"])


def test_an_unknown_engine_is_refused(data: CachedData, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="none of local, ray"):
        fit(RECIPE, data, tmp_path, workers=0, show=False, engine="abacus")


def test_a_run_folder_is_not_shared_by_two_trainings(data: CachedData, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps({"recipe": "another"}))
    with pytest.raises(TrainingError, match=r"another recipe.*--restart"):
        fit(RECIPE, data, tmp_path, workers=0, show=False)


def test_a_split_without_a_class_is_named(data: CachedData, tmp_path: Path) -> None:
    normal = tuple(image for image in data.images if image.row.label == "normal")
    with pytest.raises(TrainingError, match="split 'train' has no image labelled pneumonia"):
        fit(RECIPE, CachedData(normal, ()), tmp_path, workers=0, show=False)


def test_batches_follow_seed_and_epoch(data: CachedData) -> None:
    train = [image for image in data.images if image.row.split == "train"]

    def order(seed: int, epoch: int) -> list[list[float]]:
        loader = RadiographData(
            train, train, batch_size=8, balance=0.0, seed=seed, workers=0
        ).train_dataloader()
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        return [batch[0].float().mean(dim=(1, 2, 3)).tolist() for batch in loader]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_tuning_patients_are_set_aside_where_none_are(phantoms: Manifest) -> None:
    rows = tuple(Row(r.path, r.label, r.patient, "train", r.source) for r in phantoms)
    split = with_tune_split(Manifest(rows), seed=1)
    assert {row.split for row in split} == {"train", "tune"}
    tested = Manifest((*rows[:-2], *(Row(r.path, r.label, r.patient, "test") for r in rows[-2:])))
    assert len(with_tune_split(tested, seed=1)) == len(rows) - 2


def test_rows_without_a_split_are_not_lost_silently(phantoms: Manifest) -> None:
    first, *others = phantoms.rows
    unplaced = Row(first.path, first.label, first.patient, "", first.source)
    with pytest.raises(TrainingError, match=r"0\.png: 1 row has no split.*lungflag data split"):
        with_tune_split(Manifest((unplaced, *others)), seed=1)


@pytest.mark.slow
@pytest.mark.shared
def test_torch_and_onnx_agree_on_real_radiographs(shared: Path, tmp_path: Path) -> None:
    """Parity over 200 real images, with ImageNet features and a head that spreads the logits."""
    from lungflag.training.backbones import build_network

    network = build_network(
        "mobilenetv2",
        weights=str(shared / "weights" / "mobilenetv2_100_imagenet.safetensors"),
        image_size=224,
    )
    torch.nn.init.normal_(
        network.head.get_submodule("unit").get_parameter("weight"),
        std=0.2,
        generator=torch.Generator().manual_seed(1),
    )
    files = sorted((shared / "data" / "kermany224").rglob("*.jpeg"))[::26][:200]
    manifest = Manifest(tuple(Row(file, "normal", file.stem) for file in files))
    images = cache_images(manifest, Preprocess(), tmp_path).images
    batches = [stack(images[i : i + 25]) for i in range(0, 200, 25)]
    whole = CentredNetwork(WholeFrame(), network, 224)
    ours = run_torch(whole, batches)
    assert len(ours) == 200
    assert ours.std() > 0.3
    assert np.abs(run_onnx(to_onnx(whole, 224), batches) - ours).max() < 1e-3
