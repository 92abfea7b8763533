"""From a fitted network to a model package: export, parity, calibration, card."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import roc_auc_score

from lungflag.calibrating import (
    DEFAULT_OPERATING_POINT,
    fit_calibration,
    set_operating_points,
)
from lungflag.calibration import AGE_GROUPS
from lungflag.card import render
from lungflag.errors import TrainingError
from lungflag.package import ModelPackage
from lungflag.quality.validated import ValidatedUse
from lungflag.training.datamodule import LABEL_NOISE
from lungflag.training.export import run_onnx, run_torch, to_onnx
from lungflag.training.fit import stack
from lungflag.training.gate import load_gate
from lungflag.training.recipe import common_preprocess
from lungflag.training.serialise import halved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lungflag.calibration import OperatingPoint
    from lungflag.data.manifest import Row
    from lungflag.training.cache import CachedData, CachedImage
    from lungflag.training.fit import Fitted
    from lungflag.training.recipe import Recipe

PARITY = 1e-3  # largest allowed difference of a logit, torch to ONNX Runtime
FEWEST = 20  # tuning images of each label that an age group's own operating points rest on
AGE_GROUP = "age_group"
"""A manifest's free column: ``child`` or ``adult``."""

_BATCH = 32


def make_package(
    out: Path,
    *,
    name: str,
    version: str,
    recipes: Sequence[Recipe],
    fitted: Fitted,
    data: CachedData,
    licence: Mapping[str, str],
    citation: Mapping[str, str],
    gate: Path | None = None,
    ages: tuple[float, float] | None = None,
) -> ModelPackage:
    """Export `fitted`, calibrate it on the tuning split, and write the package to `out`.

    `recipes` are those of the network, or of an ensemble's members. Licence and citation go by
    source; the entry ``""`` is for sources that are not named. `gate` is a folder that `save_gate`
    wrote; `ages` are the patients' youngest and oldest.

    Raises
    ------
    TrainingError
        If torch and ONNX Runtime differ by more than `PARITY` on the tuning images.
    """
    tune = [image for image in data.images if image.row.split == "tune"]
    batches = [stack(tune[i : i + _BATCH]) for i in range(0, len(tune), _BATCH)]
    preprocess = common_preprocess(recipes)
    exported = to_onnx(fitted.network, preprocess.size)
    exact = run_onnx(exported, batches)
    parity = float(np.abs(exact - run_torch(fitted.network, batches)).max())
    if not parity < PARITY:
        raise TrainingError(f"torch and ONNX Runtime differ by {parity:.2g} in a logit")
    graph = halved(exported)
    logits = run_onnx(graph, batches)
    positive = np.array([image.row.positive for image in tune])
    calibration = fit_calibration(logits, positive)
    probabilities = np.array([calibration(float(logit)) for logit in logits])
    settings, gate_graph = load_gate(gate) if gate else (None, None)
    package = ModelPackage(
        name=name,
        version=version,
        preprocess=preprocess,
        calibration=calibration,
        operating_points=_operating_points(probabilities, positive, [i.row for i in tune]),
        default_operating_point=DEFAULT_OPERATING_POINT,
        provenance={
            "recipe": _recipe(recipes),
            "epochs": [dict(epoch) for epoch in fitted.epochs],
            "tune": {
                "images": len(tune),
                "auroc": float(roc_auc_score(positive, logits)),
                "auroc_by_source": _by_source(logits, positive, [i.row for i in tune]),
            },
            "parity": {
                "images": len(tune),
                "largest_logit_difference": parity,
                "by_storage_in_16_bits": float(np.abs(logits - exact).max()),
            },
            "rejected_images": len(data.rejected),
            "date": datetime.now(UTC).date().isoformat(),
            "versions": {
                "python": platform.python_version(),
                **{p: installed(p) for p in ("lungflag", "torch", "timm", "lightning", "onnx")},
            },
        },
        validated=ValidatedUse(
            ages=ages,
            hospitals=tuple(sorted({image.row.source for image in tune} - {""})),
            views=tuple(sorted({i.row.extra.get("view", "") for i in tune} - {""})),
        ),
        gate=settings,
        training_data=_training_data(
            [image for image in data.images if image.row.split == "train"], licence, citation
        ),
    )
    return package.write(out, graph=graph, card=render(package), gate=gate_graph)


def _recipe(recipes: Sequence[Recipe]) -> dict[str, Any]:
    """Return every choice; where an ensemble's members differ in one, all of theirs in a list."""
    each = [one.to_dict() | {"weights": one.weights.rpartition("/")[2]} for one in recipes]
    values = {name: [one[name] for one in each] for name in each[0]}
    return {
        name: all_[0] if all_.count(all_[0]) == len(all_) else all_ for name, all_ in values.items()
    }


def _operating_points(
    probabilities: NDArray[np.float64], positive: NDArray[np.bool_], rows: Sequence[Row]
) -> tuple[OperatingPoint, ...]:
    """Return the points for everyone and for each age group with enough tuning images.

    Labels that are known to be partly wrong cannot say where sensitivity is 0.98: those for
    everyone are set without them, if there are others.
    """
    sure = np.array([not row.extra.get(LABEL_NOISE) for row in rows])
    everyone = sure if len(set(positive[sure].tolist())) == 2 else np.ones_like(sure)
    groups = np.array([row.extra.get(AGE_GROUP, "") for row in rows])
    points = set_operating_points(probabilities[everyone], positive[everyone])
    for group in AGE_GROUPS:
        members = groups == group
        if min(positive[members].sum(), (~positive[members]).sum()) >= FEWEST:
            points += set_operating_points(
                probabilities[members], positive[members], age_group=group
            )
    return points


def _by_source(
    logits: NDArray[np.float32], positive: NDArray[np.bool_], rows: Sequence[Row]
) -> dict[str, float]:
    source = np.array([row.source for row in rows])
    return {
        name: float(roc_auc_score(positive[source == name], logits[source == name]))
        for name in np.unique(source).tolist()
        if len(set(positive[source == name].tolist())) == 2
    }


def _training_data(
    images: Sequence[CachedImage], licence: Mapping[str, str], citation: Mapping[str, str]
) -> tuple[dict[str, Any], ...]:
    sources = sorted({image.row.source for image in images})
    return tuple(
        {
            "name": source or "not stated",
            "licence": licence.get(source, licence.get("", "not stated")),
            "citation": citation.get(source, citation.get("", "")),
            "images": sum(image.row.source == source for image in images),
            "patients": len({i.row.patient for i in images if i.row.source == source}),
        }
        for source in sources
    )
