"""Probes for shortcuts: intensity that tells the label, an embedding that tells the hospital."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from lungflag.data.audit.probes import clustered_auc, probe_scores
from lungflag.data.manifest import LABELS
from lungflag.evaluation.shift.figures import patients_of
from lungflag.evaluation.shift.result import HospitalRow, ProbeRow, ShortcutRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from lungflag.data.manifest import Row
    from lungflag.evaluation.shift.judge import Judged

_NOTHING = ProbeRow(None, None)


def shortcut_row(judged: Sequence[Judged], source: str) -> ShortcutRow:
    """Set the detector's AUROC beside that of global intensity on the same clean images."""
    seen = [one for one in judged if not one.codes[0]]
    positive = np.array([one.row.positive for one in seen], dtype=np.bool_)
    return ShortcutRow(
        source=source,
        images=len(seen),
        detector=_directly(seen, positive),
        intensity=_fitted(seen, [one.statistics for one in seen], positive),
    )


def hospital_rows(judged: Sequence[Judged]) -> tuple[HospitalRow, ...]:
    """Probe each source against the others within each label; of two, the first alone."""
    rows = []
    for label in LABELS:
        seen = [one for one in judged if not one.codes[0] and one.row.label == label]
        sources = sorted({one.row.source for one in seen})
        if len(sources) < 2:
            continue
        for source in sources if len(sources) > 2 else sources[:1]:
            here = np.array([one.row.source == source for one in seen], dtype=np.bool_)
            embedding = _fitted(seen, [one.embedding for one in seen], here)
            name = source or "(none)"
            rows.append(HospitalRow(label, name, len(seen), embedding, _directly(seen, here)))
    return tuple(rows)


def label_by_hospital(rows: Iterable[Row]) -> float | None:
    """Return the AUC of each source's share of pneumonia as the score of all its images.

    None with fewer than two sources or one label.
    """
    labels: defaultdict[str, list[bool]] = defaultdict(list)
    for row in rows:
        labels[row.source].append(row.positive)
    positive = np.array([one for group in labels.values() for one in group])
    if len(labels) < 2 or positive.all() or not positive.any():
        return None
    share = np.array([np.mean(group) for group in labels.values() for _ in group])
    return clustered_auc(share, positive, np.arange(len(positive)))[0]


def _directly(judged: Sequence[Judged], target: NDArray[np.bool_]) -> ProbeRow:
    """Take the detector's probability as the score of `target`."""
    if target.all() or not target.any():
        return _NOTHING
    probability = np.array([one.probability[0] for one in judged])
    return ProbeRow(*clustered_auc(probability, target, patients_of(judged)))


def _fitted(
    judged: Sequence[Judged], values: Sequence[NDArray[np.floating]], target: NDArray[np.bool_]
) -> ProbeRow:
    patients = patients_of(judged)
    scores = probe_scores(np.array(values), target, patients)
    return _NOTHING if scores is None else ProbeRow(*clustered_auc(scores, target, patients))
