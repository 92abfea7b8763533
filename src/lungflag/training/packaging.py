"""From a fitted network to a model package: export, parity, calibration, card."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import roc_auc_score

from lungflag.errors import TrainingError
from lungflag.package import ModelPackage
from lungflag.training.export import run_onnx, run_torch, to_onnx
from lungflag.training.fit import stack
from lungflag.training.operating import (
    DEFAULT_OPERATING_POINT,
    fit_calibration,
    set_operating_points,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lungflag.preprocess import Preprocess
    from lungflag.training.cache import CachedData, CachedImage
    from lungflag.training.fit import Fitted
    from lungflag.training.recipe import Recipe

PARITY = 1e-3  # largest allowed difference of a logit, torch to ONNX Runtime
_BATCH = 32


def make_package(
    out: Path,
    *,
    name: str,
    version: str,
    recipe: Recipe,
    preprocess: Preprocess,
    fitted: Fitted,
    data: CachedData,
    licence: str,
    citation: str,
) -> ModelPackage:
    """Export `fitted`, calibrate it on the tuning split, and write the package to `out`.

    Raises
    ------
    TrainingError
        If torch and ONNX Runtime differ by more than `PARITY` on the tuning images.
    """
    tune = [image for image in data.images if image.row.split == "tune"]
    batches = [stack(tune[i : i + _BATCH]) for i in range(0, len(tune), _BATCH)]
    graph = to_onnx(fitted.network, recipe.image_size)
    logits = run_onnx(graph, batches)
    parity = float(np.abs(logits - run_torch(fitted.network, batches)).max())
    if not parity < PARITY:
        raise TrainingError(f"torch and ONNX Runtime differ by {parity:.2g} in a logit")
    positive = np.array([image.row.positive for image in tune])
    calibration = fit_calibration(logits, positive)
    probabilities = np.array([calibration(float(logit)) for logit in logits])
    package = ModelPackage(
        name=name,
        version=version,
        preprocess=preprocess,
        calibration=calibration,
        operating_points=set_operating_points(probabilities, positive),
        default_operating_point=DEFAULT_OPERATING_POINT,
        provenance={
            "recipe": recipe.to_dict() | {"weights": recipe.weights.rpartition("/")[2]},
            "epochs": [dict(epoch) for epoch in fitted.epochs],
            "tune": {"images": len(tune), "auroc": float(roc_auc_score(positive, logits))},
            "parity": {"images": len(tune), "largest_logit_difference": parity},
            "rejected_images": len(data.rejected),
            "date": datetime.now(UTC).date().isoformat(),
            "versions": {
                "python": platform.python_version(),
                **{p: installed(p) for p in ("lungflag", "torch", "timm", "lightning", "onnx")},
            },
        },
        training_data=_training_data(
            [image for image in data.images if image.row.split == "train"], licence, citation
        ),
    )
    return package.write(out, graph=graph, card=_card(package))


def _training_data(
    images: Sequence[CachedImage], licence: str, citation: str
) -> tuple[dict[str, Any], ...]:
    sources = sorted({image.row.source for image in images})
    return tuple(
        {
            "name": source or "not stated",
            "licence": licence,
            "citation": citation,
            "images": sum(image.row.source == source for image in images),
            "patients": len({i.row.patient for i in images if i.row.source == source}),
        }
        for source in sources
    )


def _card(package: ModelPackage) -> str:
    recipe, tune = package.provenance["recipe"], package.provenance["tune"]
    lines = [
        f"# {package.name} {package.version}",
        "",
        "Flags suspected pneumonia in frontal chest radiographs for a physician to read sooner.",
        "It is not a diagnosis, and a radiograph that is not flagged is not cleared.",
        "",
        "## Trained on",
        "",
        *(
            f"- {d['name']}: {d['images']} images of {d['patients']} patients. "
            f"Licence: {d['licence']}. {d['citation']}"
            for d in package.training_data
        ),
        "",
        "## Operating points",
        "",
        f"Set by rule on {tune['images']} images of patients outside the training set.",
        f"AUROC there: {tune['auroc']:.4f}.",
        "",
        "| name | threshold | sensitivity | specificity | rule |",
        "|---|---|---|---|---|",
        *(
            f"| {p.name} | {p.threshold:.4f} | {p.sensitivity:.4f} | {p.specificity:.4f} "
            f"| {p.rule} |"
            for p in package.operating_points
        ),
        "",
        "## Limits",
        "",
        "- Measured on the hospitals and ages named above and nowhere else. Networks trained on",
        "  one hospital are known to fail at another; measure on your own films before use.",
        "- It judges one frontal projection, knows no history and no earlier films, and was",
        "  taught no finding but pneumonia.",
        "",
        "## Recipe",
        "",
        *(f"- {key}: {value}" for key, value in recipe.items()),
        "",
    ]
    return "\n".join(lines)
