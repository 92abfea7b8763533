"""What the shift bench found, as frozen values and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lungflag.evaluation.intervals import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lungflag.evaluation.intervals import Estimate

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class ShiftRow:
    """The figures of one source under one corruption at one severity.

    Attributes
    ----------
    corruption : str
        ``clean`` or a name of `CORRUPTIONS`.
    severity : int or None
        1 to 5; None for ``clean`` and for corruptions without severities.
    source : str
        Of the manifest; empty for all sources together.
    images : int
        Judged and rejected ones.
    rejected : Mapping[str, int]
        Code of the rejection to the number of images. They are in no figure below.
    auroc, sensitivity, specificity : Estimate
        Over the judged images; the latter two at the package's own threshold.
    drop : Estimate
        AUROC of the clean images less this AUROC, over the images that were judged both times,
        with the interval of a paired bootstrap over the patients. Positive is worse.
    specificity_at_sensitivity : float or None
        The specificity of the highest threshold that finds the share `SENSITIVITY`. None where a
        class is missing.
    calibration_error, brier : float or None
        None where no image was judged.
    """

    corruption: str
    severity: int | None
    source: str
    images: int
    rejected: Mapping[str, int]
    auroc: Estimate
    drop: Estimate
    sensitivity: Estimate
    specificity: Estimate
    specificity_at_sensitivity: float | None
    calibration_error: float | None
    brier: float | None

    @property
    def judged(self) -> int:
        """The images that the figures are about."""
        return self.images - sum(self.rejected.values())


@dataclass(frozen=True, slots=True)
class ShiftSummary:
    """The drops of one source in brief. A figure is None where no row could give it.

    Attributes
    ----------
    source : str
        Empty for all sources together.
    severity : int or None
        Which severity is summed up: 3, or else the highest that was asked for. None if no
        corruption with severities was.
    mean_drop : float or None
        The mean of `ShiftRow.drop` over the corruptions at that severity.
    worst, worst_drop : str, float or None
        The corruption with the largest drop at that severity.
    histogram_drops : Mapping[str, float | None]
        The drop of each corruption without severities that was asked for.
    """

    source: str
    severity: int | None
    mean_drop: float | None
    worst: str
    worst_drop: float | None
    histogram_drops: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class SubtypeRow:
    """The images of one subtype of pneumonia against all normal images of the same source.

    Attributes
    ----------
    column, value : str
        The manifest's column, and its value.
    source : str
        Empty for all sources together.
    positives, normals : int
        Images of either kind that were judged.
    auroc, sensitivity : Estimate
        On the clean images.
    """

    column: str
    value: str
    source: str
    positives: int
    normals: int
    auroc: Estimate
    sensitivity: Estimate


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """How well something that ought not to tell tells all the same. 0.5 is nothing.

    Attributes
    ----------
    auc : float or None
        Area under the ROC curve; None where it could not be measured.
    interval : tuple[float, float] or None
        Its 95% interval, with images clustered in patients.
    """

    auc: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ShortcutRow:
    """Whether one source's labels can be told without looking at the lungs.

    Attributes
    ----------
    source : str
        Empty for all sources together.
    images : int
        Judged when clean.
    detector : ProbeRow
        The detector's own AUROC on the same images, for comparison.
    intensity : ProbeRow
        A logistic regression on `STATISTICS`, cross-validated by patient.
    """

    source: str
    images: int
    detector: ProbeRow
    intensity: ProbeRow


@dataclass(frozen=True, slots=True)
class HospitalRow:
    """Whether the detector tells one source from the others among images of one label.

    Attributes
    ----------
    label, source : str
        Images of `label`; `source` against all other sources.
    images : int
        Judged when clean.
    embedding : ProbeRow
        A logistic regression on the embedding, cross-validated by patient. 0.5: the hospital
        cannot be read from it.
    probability : ProbeRow
        The detector's probability itself, above 0.5 where it is higher in `source`. Away from 0.5,
        one threshold does not suit all sources.
    """

    label: str
    source: str
    images: int
    embedding: ProbeRow
    probability: ProbeRow


@dataclass(frozen=True, slots=True)
class ShiftResult:
    """What the shift bench found.

    Attributes
    ----------
    rows : tuple[ShiftRow, ...]
        For all sources together and each alone: ``clean`` first, then every corruption.
    summaries : tuple[ShiftSummary, ...]
        All sources together first.
    subtypes : tuple[SubtypeRow, ...]
        Empty where the manifest does not have the column.
    shortcuts : tuple[ShortcutRow, ...]
        All sources together first.
    hospitals : tuple[HospitalRow, ...]
        Empty with fewer than two sources.
    label_by_hospital : float or None
        AUC of knowing nothing but the source, over the whole manifest. 0.5: it says nothing of
        the label. None with fewer than two sources or one label.
    operating_point : str
        Whose thresholds decided.
    images, patients : int
        Of the sample.
    available : int
        Images of the manifest.
    rejected : tuple[tuple[str, str], ...]
        Path and reason of each image that was rejected when clean.
    resamples, seed : int
        Of the bootstrap; the seed is that of sample and corruptions too.
    """

    rows: tuple[ShiftRow, ...]
    summaries: tuple[ShiftSummary, ...]
    subtypes: tuple[SubtypeRow, ...]
    shortcuts: tuple[ShortcutRow, ...]
    hospitals: tuple[HospitalRow, ...]
    label_by_hospital: float | None
    operating_point: str
    images: int
    patients: int
    available: int
    rejected: tuple[tuple[str, str], ...]
    resamples: int
    seed: int

    @property
    def sources(self) -> tuple[str, ...]:
        """The empty name of all sources together, then each source's where there are several."""
        return tuple(dict.fromkeys(row.source for row in self.rows))

    def row(self, corruption: str, severity: int | None = None, source: str = "") -> ShiftRow:
        """Return one row.

        Raises
        ------
        KeyError
            If it was not measured.
        """
        key = (corruption, severity, source)
        for row in self.rows:
            if (row.corruption, row.severity, row.source) == key:
                return row
        raise KeyError(key)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values; docs/shift.md describes the keys."""
        return {"schema": SCHEMA, "confidence": CONFIDENCE, **asdict(self)}
