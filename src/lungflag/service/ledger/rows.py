"""The ledger's rows as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A received DICOM object.

    Attributes
    ----------
    sop_instance_uid, sop_class_uid, transfer_syntax_uid, study_instance_uid, series_instance_uid
        Its identifiers.
    patient_id, patient_name, accession_number, study_date, modality : str
        From the header; empty where it has none.
    sha256 : str
        Of the whole file, in hexadecimal digits.
    path : str
        The file, relative to the service's folder.
    size : int
        Bytes.
    via : str
        The door: ``dimse``, ``stow``, ``folder`` or ``api``.
    peer : str
        Who brought it, such as ``AET@address``.
    received_at : datetime
        With time zone.
    patient_sex, patient_birth_date, study_time, institution_name, study_description : str
        Of the study, as above.
    view_position, manufacturer, device_model, station_name, body_part, patient_age : str
        Of the image, as above.
    rows, columns : int or None
        As the header says; None where it does not.
    """

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient_id: str
    patient_name: str
    accession_number: str
    study_date: str
    modality: str
    sha256: str
    path: str
    size: int
    via: str
    peer: str
    received_at: datetime
    patient_sex: str = ""
    patient_birth_date: str = ""
    study_time: str = ""
    institution_name: str = ""
    study_description: str = ""
    view_position: str = ""
    manufacturer: str = ""
    device_model: str = ""
    station_name: str = ""
    body_part: str = ""
    patient_age: str = ""
    rows: int | None = None
    columns: int | None = None

    @property
    def is_raster(self) -> bool:
        """Whether it came as a PNG or JPEG file: then it has no header, and goes nowhere."""
        return not self.transfer_syntax_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One instance to be judged by one package version, leased to one worker.

    Attributes
    ----------
    id : int
        The job's number.
    sop_instance_uid : str
        What is to be judged.
    package, version : str
        By which model package.
    path : str
        The object's file, relative to the service's folder.
    attempts : int
        How often it was leased, this lease counted. With `id` it names the lease.
    priority : str
        One of `lungflag.service.priority.PRIORITIES`.
    received_at : datetime
        When the instance came in.
    leased_by : str
        The worker.
    lease_until : datetime
        When the job goes back to the queue.
    raster : bool
        As `Instance.is_raster`.
    """

    id: int
    sop_instance_uid: str
    package: str
    version: str
    path: str
    attempts: int
    priority: str
    received_at: datetime
    leased_by: str
    lease_until: datetime
    raster: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRecord:
    """What was found, as a row. A field that does not apply is None.

    Attributes
    ----------
    kind : str
        ``finding`` or ``rejection``.
    probability, flagged, threshold, age_group, marks
        Of a finding, as in `lungflag.outcome.Finding`.
    operating_point : str
        Of either.
    code, reason : str
        Of a rejection, as in `lungflag.outcome.Rejection`.
    seconds : float
        How long judging took.
    decided_at : datetime
        With time zone.
    results : str
        The folder with its files, relative to the service's folder; empty where there is none.
    heatmap : bytes or None
        Of a finding: float16, little endian, row by row; logits.
    heatmap_rows, heatmap_columns : int or None
        Its shape.
    embedding : bytes or None
        Of a finding: float16, little endian.
    grey_mean, grey_std : float or None
        Of the picture that the network saw, 0 to 1.
    """

    kind: Literal["finding", "rejection"]
    probability: float | None = None
    flagged: bool | None = None
    threshold: float | None = None
    operating_point: str | None = None
    age_group: str | None = None
    marks: tuple[str, ...] | None = None
    code: str | None = None
    reason: str | None = None
    seconds: float | None = None
    decided_at: datetime
    results: str = ""
    heatmap: bytes | None = None
    heatmap_rows: int | None = None
    heatmap_columns: int | None = None
    embedding: bytes | None = None
    grey_mean: float | None = None
    grey_std: float | None = None


class Said(NamedTuple):
    """A reader's disagreement, or that it was taken back."""

    reader: str
    at: datetime
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Amending:
    """A report that is to supersede the one before, leased to one worker.

    Attributes
    ----------
    id, attempts, leased_by
        Number and lease, as in `Job`.
    job_id, sop_instance_uid, priority
        Whose report it is.
    revision : int
        From 1: which one it will be; the first report is 0.
    created_at, undone_at : datetime
        When the reader disagreed, and took that back; None where not.
    disagreeing, withdrawn : tuple[Said, ...]
        Who disagrees now, and who has just taken a disagreement back.
    outcome : OutcomeRecord
        What they disagree with.
    """

    id: int
    attempts: int
    leased_by: str
    job_id: int
    sop_instance_uid: str
    priority: str
    revision: int
    created_at: datetime
    undone_at: datetime | None
    disagreeing: tuple[Said, ...]
    withdrawn: tuple[Said, ...]
    outcome: OutcomeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A result that is to reach a target. There is one for each job, target and kind.

    Attributes
    ----------
    target : str
        The target's name in the settings.
    kind : str
        ``sr``, ``sc`` or ``fhir``.
    path : str
        The result's file, relative to the service's folder.
    uid : str
        Its SOP Instance UID, or another identifier.
    """

    target: str
    kind: Literal["sr", "sc", "fhir"]
    path: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery that was leased, or that has failed for good.

    Attributes
    ----------
    id : int
        The delivery's number.
    target, kind, path, uid
        As in `NewDelivery`.
    attempts : int
        How often it was leased, this lease counted. With `leased_by` it names the lease.
    leased_by : str
        The sender.
    error : str
        What went wrong last; empty where nothing has.
    created_at : datetime
        When the outcome was decided on.
    job_id, sop_instance_uid, study_instance_uid, package, version, priority
        Facts of its job and study.
    revision : int
        0 for what the detector said; later ones supersede it.
    """

    id: int
    target: str
    kind: Literal["sr", "sc", "fhir"]
    path: str
    uid: str
    attempts: int
    leased_by: str
    error: str
    created_at: datetime
    job_id: int
    sop_instance_uid: str
    study_instance_uid: str
    package: str
    version: str
    priority: str
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How many jobs and deliveries are in which state."""

    jobs_waiting: int
    jobs_leased: int
    jobs_done: int
    deliveries_waiting: int
    deliveries_leased: int
    deliveries_done: int
    deliveries_dead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """A received instance and what became of it, for people; one row a job."""

    sop_instance_uid: str
    study_instance_uid: str
    patient_id: str
    accession_number: str
    received_at: datetime
    priority: str
    package: str
    version: str
    state: Literal["waiting", "leased", "done"]
    outcome: OutcomeRecord | None


class Held(NamedTuple):
    """What the ledger knows of an instance that comes in.

    Attributes
    ----------
    sha256 : str or None
        Of the content that was received first; None where it is new.
    expired : bool
        Whether its pixels were deleted.
    has_job : bool
        Whether the package version has a job for it, done or not.
    is_result : bool
        Whether it is a result that was made here.
    """

    sha256: str | None
    expired: bool
    has_job: bool
    is_result: bool


class Expirable(NamedTuple):
    """An instance whose pixels may go."""

    sop_instance_uid: str
    path: str


class Stray(NamedTuple):
    """Work that nobody does with these settings: ``package`` or ``target``, its name, how many."""

    kind: Literal["package", "target"]
    name: str
    n: int


class Judged(NamedTuple):
    """A job that is done, for metrics."""

    job: int
    package: str
    version: str
    flagged: bool | None
    code: str | None
    probability: float | None
    seconds: float | None
    received_at: datetime
    done_at: datetime


class Arrived(NamedTuple):
    """A delivery that is done, for metrics."""

    delivery: int
    target: str
    kind: str
    created_at: datetime
    done_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The ledger at one moment, for metrics.

    Attributes
    ----------
    now : datetime
        The moment, by the clock that the ledger's times are told by.
    jobs : Mapping[tuple[str, str, str], int]
        Package, version and state (``waiting``, ``leased``) to how many jobs are open.
    deliveries : Mapping[tuple[str, str], int]
        Target and state (``waiting``, ``leased``, ``dead``) to how many have not arrived.
    oldest : datetime or None
        When the oldest open job's instance came in.
    judged, arrived : tuple
        What was done since the moment that was asked for.
    """

    now: datetime
    jobs: Mapping[tuple[str, str, str], int]
    deliveries: Mapping[tuple[str, str], int]
    oldest: datetime | None
    judged: tuple[Judged, ...]
    arrived: tuple[Arrived, ...]
