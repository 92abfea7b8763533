"""The one door: whatever brings a DICOM object, it is taken in here or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from pydicom import uid

from lungflag.errors import InputError, RefusedError
from lungflag.radiograph.dicom import PROJECTIONS
from lungflag.radiograph.files import LARGEST_FILE
from lungflag.radiograph.guard import guarded
from lungflag.radiograph.header import parse_header
from lungflag.radiograph.sniff import Format, recognise
from lungflag.service.audit import Audit
from lungflag.service.ledger import Instance
from lungflag.service.priority import highest, of_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydicom import Dataset

    from lungflag.package import ModelPackage
    from lungflag.service.ledger import Ledger
    from lungflag.service.metrics import Metrics
    from lungflag.service.settings import Settings
    from lungflag.service.spool import Spool

CODES = {
    "unreadable": "no DICOM file, or one with a damaged header",
    "too-large": "larger than any radiograph",
    "sop-class": "an object of another kind than projection radiographs",
    "uid": "lacks an identifier, has an impossible one, or two that contradict each other",
    "own-result": "a result that was made here, and came back",
}
"""Code of a refusal to its meaning."""

SOP_CLASSES = tuple(sorted({*PROJECTIONS, uid.DigitalXRayImageStorageForProcessing}))
"""What is taken in: also images for processing, so that their rejection is there to be seen."""

_TAGS = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("SpecificCharacterSet", "PatientID", "PatientName", "AccessionNumber"),
    *("StudyDate", "Modality", "RequestedProcedurePriority"),
    *("PatientSex", "PatientBirthDate", "PatientAge"),
    *("StudyTime", "InstitutionName", "StudyDescription"),
    *("ViewPosition", "BodyPartExamined", "Rows", "Columns"),
    *("Manufacturer", "ManufacturerModelName", "StationName"),
)
UID_PATTERN = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*")
"""What is taken for a UID. Leading zeros are wrong (PS3.5, 9.1), and met all the same."""

_RASTERS = UUID("5a2b6f52-7f0e-5d0b-8c39-3a4d9e0a6c17")
_LONGEST = 324  # characters of a person's name with its three groups (PS3.5, 6.2)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was taken in.

    Attributes
    ----------
    sop_instance_uid, study_instance_uid : str
        Its identifiers.
    new : bool
        Whether it makes new work; False where it was there already.
    """

    sop_instance_uid: str
    study_instance_uid: str
    new: bool


class Intake:
    """Takes objects in. Safe to share between threads.

    Parameters
    ----------
    settings : Settings
        Of the service.
    ledger : Ledger
        Where the rows go.
    spool : Spool
        Where the objects go.
    package : ModelPackage
        What is to judge them.
    metrics : Metrics
        Where refusals and repeats are counted.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        spool: Spool,
        package: ModelPackage,
        metrics: Metrics,
    ) -> None:
        self._ledger = ledger
        self._spool = spool
        self._package = package
        self._metrics = metrics
        self._audit = Audit(settings, ledger, "node")

    def accept(
        self,
        data: bytes,
        *,
        via: str,
        peer: str,
        priority: str = "",
        announced: Mapping[str, str] = MappingProxyType({}),
    ) -> Receipt:
        """Take one object in; return after its file is on the disk and its row is committed.

        The same SOP Instance UID again is a success, and the first object is kept.

        Parameters
        ----------
        data : bytes
            A whole DICOM file (PS3.10, 7).
        via : str
            The door: ``dimse``, ``stow``, ``folder`` or ``api``.
        peer : str
            Who brings it.
        priority : str
            What the message says, one of `lungflag.service.priority.PRIORITIES`, or nothing.
        announced : Mapping[str, str]
            DICOM keyword of an identifier to the value that the message names.

        Raises
        ------
        RefusedError
            If the service may not take it. Nothing was kept.
        SpoolFullError
            If there is no room. Nothing was kept.
        LedgerError
            If the ledger cannot be used. It must not be acknowledged.
        """
        try:
            return self._accept(data, via, peer, priority, announced)
        except RefusedError as error:
            self._metrics.refused(via, error.code)
            raise

    def accept_raster(self, data: bytes, *, peer: str, priority: str = "") -> Receipt:
        """Take a PNG or JPEG file in, as `accept` does an object.

        It has no identifiers: they are made from its content, so that the same file again is the
        same image. What is judged of it goes to no target, since there is no study for it.

        Parameters
        ----------
        data : bytes
            The whole file.
        peer, priority : str
            As for `accept`.

        Raises
        ------
        RefusedError, SpoolFullError, LedgerError
            As `accept`.
        """
        try:
            started = perf_counter()
            return self._receive(_describe_raster(data, peer), data, priority, started)
        except RefusedError as error:
            self._metrics.refused("api", error.code)
            raise

    def _accept(
        self, data: bytes, via: str, peer: str, priority: str, announced: Mapping[str, str]
    ) -> Receipt:
        started = perf_counter()
        ds = _header(data)
        _check_kind(ds)
        _check_announced(ds, announced)
        instance = _describe(ds, via=via, peer=peer)
        priority = highest(priority, of_request(_text(ds, "RequestedProcedurePriority")))
        return self._receive(instance, data, priority, started)

    def _receive(self, instance: Instance, data: bytes, priority: str, started: float) -> Receipt:
        receipt = Receipt(instance.sop_instance_uid, instance.study_instance_uid, new=False)
        name, version = self._package.name, self._package.version
        held = self._ledger.find(instance.sop_instance_uid, package=name, version=version)
        if held.is_result:
            raise RefusedError("own-result", "is a result of this service")
        if held.sha256 is not None:
            self._note_repeat(instance, differs=sha256(data).hexdigest() != held.sha256)
        if held.has_job:
            return receipt
        stored = self._spool.put(data)
        instance = replace(instance, sha256=stored.sha256, path=stored.path, size=stored.size)
        message = self._audit.received(instance)
        new = self._ledger.receive(
            instance,
            package=name,
            version=version,
            priority=highest(priority),
            audit=message,
        )
        if new:
            self._audit.copy(message)
            self._metrics.received(instance.via, perf_counter() - started)
        return replace(receipt, new=new)

    def _note_repeat(self, instance: Instance, *, differs: bool) -> None:
        self._metrics.repeated(instance.via, differs=differs)
        if differs:
            self._audit.differing(instance)


def _header(data: bytes) -> Dataset:
    """Return the attributes that are needed, from a DICOM file's content."""
    if len(data) > LARGEST_FILE:
        raise RefusedError("too-large", f"has {len(data):,} bytes")
    if data[128:132] != b"DICM":
        raise RefusedError("unreadable", "is no DICOM file")
    try:
        return parse_header("the object", data, _TAGS)
    except InputError as error:
        raise RefusedError("unreadable", error.reason) from error


def _describe_raster(data: bytes, peer: str) -> Instance:
    """Return the row of a file without header. Only its first bytes are looked at."""
    if len(data) > LARGEST_FILE:
        raise RefusedError("too-large", f"has {len(data):,} bytes")
    try:
        kind = recognise("the object", data)
    except InputError as error:
        raise RefusedError("unreadable", error.reason) from error
    if kind not in (Format.PNG, Format.JPEG):
        raise RefusedError("unreadable", f"is {kind.value}, not PNG or JPEG")
    digest = sha256(data).hexdigest()
    study, series, instance = (
        f"2.25.{uuid5(_RASTERS, f'{level} {digest}').int}" for level in ("study", "series", "image")
    )
    return Instance(
        sop_instance_uid=instance,
        sop_class_uid=uid.SecondaryCaptureImageStorage,
        transfer_syntax_uid="",
        study_instance_uid=study,
        series_instance_uid=series,
        patient_id="",
        patient_name="",
        accession_number="",
        study_date="",
        modality="OT",
        sha256="",
        path="",
        size=0,
        via="api",
        peer=peer,
        received_at=datetime.now(UTC),
        study_description=f"{kind.value} file",
    )


def _check_kind(ds: Dataset) -> None:
    kind = _text(ds, "SOPClassUID")
    if kind not in SOP_CLASSES:
        known = UID_PATTERN.fullmatch(kind) is not None
        name = uid.UID(kind).name if known else "it has no SOP Class UID"
        raise RefusedError("sop-class", f"is no projection radiograph: {name}")


def _check_announced(ds: Dataset, announced: Mapping[str, str]) -> None:
    for keyword, value in announced.items():
        if _text(ds, keyword) != value:
            raise RefusedError("uid", f"its {keyword} is not the one that was announced")


def _describe(ds: Dataset, *, via: str, peer: str) -> Instance:
    """Return what the header says. The file is not there yet."""
    study, series, instance = _identifiers(ds)
    return Instance(
        sop_instance_uid=instance,
        sop_class_uid=_text(ds, "SOPClassUID"),
        transfer_syntax_uid=_transfer_syntax(ds),
        study_instance_uid=study,
        series_instance_uid=series,
        patient_id=_text(ds, "PatientID"),
        patient_name=_text(ds, "PatientName"),
        accession_number=_text(ds, "AccessionNumber"),
        study_date=_text(ds, "StudyDate"),
        modality=_text(ds, "Modality"),
        sha256="",
        path="",
        size=0,
        via=via,
        peer=peer,
        received_at=datetime.now(UTC),
        patient_sex=_text(ds, "PatientSex"),
        patient_birth_date=_text(ds, "PatientBirthDate"),
        study_time=_text(ds, "StudyTime"),
        institution_name=_text(ds, "InstitutionName"),
        study_description=_text(ds, "StudyDescription"),
        view_position=_text(ds, "ViewPosition"),
        manufacturer=_text(ds, "Manufacturer"),
        device_model=_text(ds, "ManufacturerModelName"),
        station_name=_text(ds, "StationName"),
        body_part=_text(ds, "BodyPartExamined"),
        patient_age=_text(ds, "PatientAge"),
        rows=_count(ds, "Rows"),
        columns=_count(ds, "Columns"),
    )


def _identifiers(ds: Dataset) -> tuple[str, str, str]:
    """Return the UIDs of study, series and instance."""
    found = []
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        value = _text(ds, keyword)
        if not UID_PATTERN.fullmatch(value):
            raise RefusedError("uid", f"has no {keyword}, or none that can be one")
        found.append(value)
    study, series, instance = found
    return study, series, instance


def _transfer_syntax(ds: Dataset) -> str:
    value = _text(ds.file_meta, "TransferSyntaxUID")
    if not UID_PATTERN.fullmatch(value):
        raise RefusedError("unreadable", "does not say its transfer syntax")
    return value


def _count(ds: Dataset, keyword: str) -> int | None:
    """Return a number of pixels, or None where there is none that can be one."""
    text = _text(ds, keyword)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else None


def _text(ds: Dataset, keyword: str) -> str:
    """Return an attribute's text without control characters, which no database has to bear."""
    try:
        with guarded("", ""):
            value = str(ds.get(keyword) or "")
    except InputError:  # a damaged value says nothing
        return ""
    return "".join(letter for letter in value if letter.isprintable()).strip()[:_LONGEST]
