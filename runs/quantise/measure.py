"""Compare the answers of an int8 graph with those of the graph in 32 bits."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from lungflag.evaluation.metrics import Cases, measure
from lungflag.evaluation.reliability import calibration_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lungflag.package import ModelPackage

_RESAMPLES, _AT_ONCE, _SEED = 1000, 50, 0


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The reference standard of some films, and whose they are."""

    positive: NDArray[np.bool_]
    patient: NDArray[np.intp]


def session(graph: bytes) -> Any:
    """Return a session of one thread, as `detect_many` uses it."""
    how = onnxruntime.SessionOptions()
    how.intra_op_num_threads = how.inter_op_num_threads = 1
    how.log_severity_level = 4
    return onnxruntime.InferenceSession(graph, how, providers=["CPUExecutionProvider"])


def answers(running: Any, films: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Return each output over all films, one film an inference."""
    rows = [running.run(None, {"pixels": films[n : n + 1]}) for n in range(len(films))]
    return [np.concatenate(output) for output in zip(*rows, strict=True)]


def latencies(
    running: Mapping[str, Any], films: NDArray[np.uint8], *, rounds: int = 60
) -> dict[str, tuple[float, float]]:
    """Return each session's median milliseconds, and how often it fits into the first's."""
    seen: dict[str, list[float]] = {name: [] for name in running}
    for n in range(rounds):
        pixels = films[n % len(films)][None]
        for name, one in running.items():
            started = perf_counter()
            for _ in range(3):
                one.run(None, {"pixels": pixels})
            seen[name].append((perf_counter() - started) / 3)
    first = np.array(next(iter(seen.values())))
    return {
        name: (1e3 * float(np.median(took)), float(np.median(first / took)))
        for name, took in seen.items()
    }


def thresholds(package: ModelPackage) -> NDArray[np.float64]:
    """Return the distinct thresholds of all operating points, as logits of the graph."""
    found = np.unique([point.threshold for point in package.operating_points])
    how = package.calibration
    return np.asarray((np.log(found / (1 - found)) - how.intercept) / how.slope)


def changed(
    ours: NDArray[np.float32], theirs: NDArray[np.float32], at: NDArray[np.float64]
) -> list[int]:
    """Return the number of decisions that change side at each threshold."""
    return [int(((ours >= logit) != (theirs >= logit)).sum()) for logit in at]


def agreement(
    package: ModelPackage,
    ours: Sequence[NDArray[np.float32]],
    theirs: Sequence[NDArray[np.float32]],
) -> dict[str, Any]:
    """Return how far int8's outputs (`theirs`) lie from those in 32 bits."""
    heat = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(ours[1], theirs[1], strict=True)
    ]
    off = np.abs(_probability(package, ours[0]) - _probability(package, theirs[0]))
    return {
        "n": len(off),
        "probability_off_mean": float(off.mean()),
        "probability_off_most": float(off.max()),
        "logit_off_sd": float((theirs[0] - ours[0]).std()),
        "logit_off_most": float(np.abs(theirs[0] - ours[0]).max()),
        "changed": changed(ours[0], theirs[0], thresholds(package)),
        "heatmap_correlation_median": float(np.median(heat)),
        "heatmap_correlation_least": float(np.min(heat)),
    }


def accuracy(
    package: ModelPackage,
    truth: Truth,
    ours: NDArray[np.float32],
    theirs: NDArray[np.float32],
) -> dict[str, list[float]]:
    """Return AUROC and calibration error of both, and the differences, with 95% intervals.

    The same patients are drawn for both, so that the differences are paired.
    """
    both = [
        Cases(truth.positive, p, p >= 0.5, truth.patient)
        for p in (_probability(package, ours), _probability(package, theirs))
    ]
    _, whose = np.unique(truth.patient, return_inverse=True)
    n = int(whose.max()) + 1
    draws = np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), _RESAMPLES)
    weights = np.concatenate([np.ones((1, n)), draws])[:, whose].astype(float)
    found = {}
    for name in ("auroc", "calibration_error"):
        values = [
            np.concatenate([_value(name, cases, part) for part in _parts(weights)])
            for cases in both
        ]
        series = zip(
            ("32 bits", "int8", "int8 less 32 bits"), (*values, values[1] - values[0]), strict=True
        )
        for label, drawn in series:
            low, high = np.nanpercentile(drawn[1:], (2.5, 97.5))
            found[f"{name}, {label}"] = [float(drawn[0]), float(low), float(high)]
    return found


def rechecked(
    package: ModelPackage,
    ours: NDArray[np.float32],
    theirs: NDArray[np.float32],
    half_width: float,
) -> tuple[float, list[int]]:
    """Return the share of films that int8 puts near a threshold, and what changes despite that.

    Those films are run again in 32 bits.
    """
    at = thresholds(package)
    near = (np.abs(theirs[:, None] - at) <= half_width).any(axis=1)
    return float(near.mean()), changed(ours, np.where(near, ours, theirs), at)


def _value(name: str, cases: Cases, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    if name == "auroc":
        return measure(cases, weights)["auroc"]
    return calibration_error(cases, weights)


def _parts(weights: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return [weights[n : n + _AT_ONCE] for n in range(0, len(weights), _AT_ONCE)]


def _probability(package: ModelPackage, logit: NDArray[np.float32]) -> NDArray[np.float64]:
    how = package.calibration
    return np.asarray(1 / (1 + np.exp(-(how.slope * logit.astype(float) + how.intercept))))
