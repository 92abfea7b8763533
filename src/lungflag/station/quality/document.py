"""The quality page's content as the API sends it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True)


class ShareOut(_Part):
    """A share with Wilson's 95% interval; null where there is nothing to count."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class AgreementDay(_Part):
    """What readers said of findings on a day (UTC), and the share that agreed."""

    day: str = Field(examples=["2026-11-23"])
    agree: int
    disagree: int
    unsure: int
    share: float | None
    low: float | None
    high: float | None


class AccuracyOut(_Part):
    """Sensitivity and specificity by the readers' word, which is no independent standard."""

    sensitivity: ShareOut
    specificity: ShareOut
    corrected_sensitivity: ShareOut = Field(description="As if all had been read alike.")
    corrected_specificity: ShareOut
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int
    flagged: int
    flagged_read: int
    not_flagged: int
    not_flagged_read: int
    stated_sensitivity: float = Field(description="What the package states for its threshold.")
    stated_specificity: float
    note: str


class BinOut(_Part):
    """Shares of a tenth of the reference; outer ends are null."""

    low: float | None
    high: float | None
    reference: float
    current: float


class StabilityOut(_Part):
    """Population stability index over the reference's tenths."""

    psi: float | None
    chance: float | None = Field(description="An alarm needs more than this and 0.25.")
    level: Literal["unknown", "stable", "moderate", "large"]
    alarm: bool
    n: int
    bins: list[BinOut]


class InputOut(_Part):
    """Drift of the pictures themselves."""

    grey_mean: StabilityOut
    grey_std: StabilityOut


class EnergyOut(_Part):
    """Normalised energy distance of the embeddings, with the alarm's threshold by permutation."""

    energy: float | None
    threshold: float | None
    p_value: float | None
    alarm: bool
    n: int


class DriftOut(_Part):
    """Drift against the package's reference."""

    reference: str = Field(description="Where the reference's films come from.")
    reference_n: int
    score: StabilityOut
    input: InputOut
    embedding: EnergyOut


class RejectionOut(_Part):
    """A reason to reject, and how often it was met."""

    code: str
    meaning: str
    n: int
    share: float


class TurnaroundDay(_Part):
    """Seconds from receipt to outcome on a day (UTC)."""

    day: str
    p50: float
    p95: float
    n: int


class TurnaroundOut(_Part):
    """Seconds from receipt to outcome."""

    p50: float | None
    p95: float | None
    n: int
    per_day: list[TurnaroundDay]


class GroupOut(_Part):
    """The images of one site or device; an empty name where none is stated."""

    name: str
    n: int
    flagged: int
    rejected: int
    agree: int
    disagree: int
    unsure: int
    p50: float
    p95: float


class AlarmOut(_Part):
    """Something that a person should look at."""

    what: Literal["score", "input", "embedding", "sensitivity", "specificity"]
    detail: str


class QualityOut(_Part):
    """How the detector does here."""

    since: str
    days: int
    package: str
    version: str
    n_images: int
    n_read: int
    n_rejected: int
    capped: bool = Field(description="Whether older images of the span were left out.")
    enough: int = Field(description="Patients that drift needs before it is spoken of.")
    agreement: list[AgreementDay]
    accuracy: AccuracyOut
    drift: DriftOut | None = Field(description="Null where the package has no reference.")
    rejections: list[RejectionOut]
    turnaround: TurnaroundOut
    sites: list[GroupOut]
    devices: list[GroupOut]
    alarms: list[AlarmOut]
