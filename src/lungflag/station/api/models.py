"""What the API says, as the models that its description is made from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Uid = Annotated[str, Field(description="A DICOM UID.", examples=["2.25.1234567890"])]
State = Literal["waiting", "judging", "done"]
Verdict = Literal["agree", "disagree", "unsure"]
PriorityName = Literal["HIGH", "MEDIUM", "LOW"]
Status = Literal["waiting", "unread", "read"]
OutcomeFilter = Literal["flagged", "not-flagged", "rejected"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class FindingOutcome(_Model):
    """The image was judged. Not flagged does not mean cleared."""

    kind: Literal["finding"]
    probability: float = Field(description="Calibrated, 0 to 1.", examples=[0.72])
    flagged: bool
    threshold: float = Field(description="On the probability.", examples=[0.15])
    operating_point: str = Field(examples=["triage"])
    sensitivity: float | None = Field(description="Of the operating point, where it was set.")
    specificity: float | None = Field(description="Of the operating point, where it was set.")
    age_group: str = Field(description="`child`, `adult` or empty.")
    marks: list[str] = Field(description="What a reader must know beside the result.")
    package: str = Field(examples=["guangzhou"])
    version: str
    decided_at: datetime
    seconds: float | None


class RejectionOutcome(_Model):
    """The image was not judged. It is neither positive nor negative."""

    kind: Literal["rejection"]
    code: str = Field(examples=["lateral"])
    reason: str = Field(examples=["a lateral view"])
    meaning: str = Field(description="Of the code.")
    package: str
    version: str
    decided_at: datetime
    seconds: float | None


Outcome = Annotated[FindingOutcome | RejectionOutcome, Field(discriminator="kind")]


class Reading(_Model):
    """What a reader thinks of an outcome."""

    id: int
    reader: str = Field(examples=["dr.novak"])
    verdict: Verdict
    comment: str
    created_at: datetime
    undone_at: datetime | None
    amended: Literal["pending", "done"] | None = Field(
        description="Whether the report that says so has been made; null where none is needed."
    )


class NewReading(BaseModel):
    """What a reader thinks of an image's latest outcome."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"verdict": "disagree", "comment": "skin fold"}]},
    )

    verdict: Verdict
    comment: str = Field("", max_length=2000, description="Plain text.")


class ImageRow(_Model):
    """An image as a worklist shows it."""

    image: Uid
    view_position: str = Field(examples=["PA"])
    modality: str = Field(examples=["DX"])
    rows: int | None
    columns: int | None
    state: State
    outcome: Outcome | None
    reading: Reading | None = Field(description="The latest one that was not taken back.")
    has_thumbnail: bool


class _Patient(_Model):
    study: Uid
    patient_id: str
    patient_name: str = Field(description="As DICOM writes names.", examples=["Doe^Jane"])
    patient_sex: str
    patient_age: str = Field(description="As DICOM writes ages.", examples=["045Y"])
    accession_number: str
    study_date: str = Field(description="YYYYMMDD, as it came.")
    institution: str
    received_at: datetime


class DeliveryState(_Model):
    """Where a result goes, and whether it is there."""

    target: str
    kind: str = Field(description="`sr`, `sc` or `fhir`.")
    revision: int = Field(description="0 is the first report; later ones supersede it.")
    state: Literal["waiting", "delivered", "dead"]


class ImageDetail(ImageRow, _Patient):
    """An image, what was found, and what became of it."""

    device: str
    readings: list[Reading]
    deliveries: list[DeliveryState]


class _Study(_Patient):
    study_time: str
    description: str
    priority: PriorityName
    status: Status


class StudyRow(_Study):
    """A study as the worklist shows it."""

    images: int = Field(description="How many there are.")
    lead: ImageRow | None = Field(description="The image that decides the order.")


class Counts(_Model):
    """How many studies there are, whatever the filters."""

    waiting: int
    unread: int
    read: int
    rejected: int
    flagged: int


class StudyPage(_Model):
    """A page of the worklist: not read before read, urgent before others, then the oldest."""

    items: list[StudyRow]
    next: str | None = Field(description="`cursor` of the next page.")
    counts: Counts
    version: int = Field(description="Changes whenever the worklist does; see `/events`.")


class Neighbours(_Model):
    """The studies before and after one in the worklist."""

    previous: Uid | None
    next: Uid | None


class StudyDetail(_Study):
    """A study with its images."""

    lead: ImageRow | None
    images: list[ImageDetail]
    neighbours: Neighbours


# A list, for the description's tools do not all know tuples.
Corner = Annotated[list[float], Field(min_length=2, max_length=2)]


class Heatmap(_Model):
    """A class-activation map over the whole image."""

    rows: int
    columns: int
    values: list[list[float]] = Field(
        description="Rows of logits; positive where the pixels speak for pneumonia."
    )
    peak: list[Corner] | None = Field(
        description="Corners [x, y] of the rectangle around the peak, in places of the map."
    )
