"""Fit the gate's heads, its distance and its thresholds on what the stem saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from torch import nn

from lungflag.quality.settings import KINDS
from lungflag.training.gate.network import Head, distance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from lungflag.training.gate.examples import Examples

FRONTAL_SHARE = 0.45
"""Share of the training weight that films fit to be judged carry."""

_BATCH, _EPOCHS, _RATE = 256, 7, 3e-3


def fit_head(examples: Examples, *, seed: int) -> Head:
    """Return a head fitted on `examples`; every origin of a kind weighs the same.

    Parameters
    ----------
    examples : Examples
        Of every kind.
    seed : int
        Chooses start and order.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = Head()
        return _trained(head, examples, np.random.default_rng(seed))


def _trained(head: Head, examples: Examples, rng: np.random.Generator) -> Head:
    features = torch.from_numpy(examples.features)
    kind = torch.from_numpy(examples.kind)
    weight = torch.from_numpy(_weights(examples)).float()
    steps = -(-len(examples) // _BATCH)
    optimiser = torch.optim.AdamW(head.parameters(), lr=_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=_RATE, total_steps=steps * _EPOCHS
    )
    loss_of = nn.CrossEntropyLoss(reduction="none", label_smoothing=0.02)
    for _ in range(_EPOCHS):
        head.train()
        for batch in np.array_split(rng.permutation(len(examples)), steps):
            logits = head(features[batch].float())
            loss = (loss_of(logits, kind[batch]) * weight[batch]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return head.eval()


def _weights(examples: Examples) -> NDArray[np.float64]:
    """Return weights of mean 1: origins equal within a kind, kinds equal but for the frontal."""
    weight = np.zeros(len(examples))
    kinds = np.unique(examples.kind)
    for kind in kinds:
        share = FRONTAL_SHARE if kind == 0 else (1 - FRONTAL_SHARE) / (len(kinds) - 1)
        of_kind = examples.kind == kind
        origins = np.unique(examples.origin[of_kind])
        for origin in origins:
            chosen = of_kind & (examples.origin == origin)
            weight[chosen] = share / len(origins) / chosen.sum()
    return weight * len(examples)


def kinds(heads: Sequence[Head], examples: Examples) -> NDArray[np.float32]:
    """Return the probabilities of `KINDS`, shape (n, k), averaged over heads."""
    with torch.inference_mode():
        features = torch.from_numpy(examples.features).float()
        each = [head(features).softmax(dim=1) for head in heads]
    probabilities: NDArray[np.float32] = torch.stack(each).mean(dim=0).numpy()
    assert probabilities.shape[1] == len(KINDS)  # noqa: S101
    return probabilities


STRANGE = 0.025
"""Share of a hospital's own films that lie further than 1 from it."""


def fit_distance(
    hospitals: Sequence[NDArray[np.float32]], others: Sequence[NDArray[np.float32]]
) -> tuple[Tensor, Tensor]:
    """Return centres (h, d) and whitening matrices (h, d, d) of films' statistics.

    Parameters
    ----------
    hospitals : sequence of NDArray[np.float32]
        Statistics of each hospital's films, shape (n, d).
    others : sequence of NDArray[np.float32]
        The same of other patients there. They set the unit: the share `STRANGE` of them is
        further away than 1. So a hospital with few films is not stricter than one with many.

    References
    ----------
    O. Ledoit, M. Wolf, 'A well-conditioned estimator for large-dimensional covariance matrices',
    2004. K. Lee et al., 'A simple unified framework for detecting out-of-distribution samples and
    adversarial attacks', NeurIPS 2018.
    """
    centres, whiten = [], []
    for statistics, held_out in zip(hospitals, others, strict=True):
        fitted = LedoitWolf().fit(statistics)
        values, vectors = np.linalg.eigh(fitted.covariance_)
        centre = torch.from_numpy(fitted.location_[None]).float()
        matrix = torch.from_numpy((vectors / np.sqrt(values))[None]).float()
        unit = float(np.quantile(distances(held_out, centre, matrix), 1 - STRANGE))
        centres.append(centre)
        whiten.append(matrix / unit)
    return torch.cat(centres), torch.cat(whiten)


def distances(
    statistics: NDArray[np.float32], centres: Tensor, whiten: Tensor
) -> NDArray[np.float32]:
    """Return the distance (n,) of every row of `statistics` (n, d) to the nearest hospital."""
    told: NDArray[np.float32] = distance(torch.from_numpy(statistics), centres, whiten).numpy()
    return told
