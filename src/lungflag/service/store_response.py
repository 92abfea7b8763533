"""What a DICOMweb client is told of the objects that it sent (PS3.18, 10.5.3 and annex I)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from pydicom import Dataset

from lungflag.service.failure import OUT_OF_RESOURCES, Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

JSON, XML = "application/dicom+json", "application/dicom+xml"

_NATIVE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"  # PS3.19, A.1


class Reference(NamedTuple):
    """An object, as far as its identifiers are known."""

    sop_class: str
    sop_instance: str


@dataclass(slots=True)
class StoreResponse:
    """What became of each object of a request.

    Attributes
    ----------
    stored : list[Reference]
        What was taken in.
    failed : list[tuple[Reference or None, Failure]]
        What was not, and why; without a reference where its identifiers are not known.
    broken_off : int
        The HTTP status for why the request was not read to its end; 0 where it was.
    """

    stored: list[Reference] = field(default_factory=list)
    failed: list[tuple[Reference | None, Failure]] = field(default_factory=list)
    broken_off: int = 0

    @property
    def status(self) -> int:
        """The HTTP status (table 10.5.3-1)."""
        if self.stored:
            return 202 if self.failed else 200
        if self.broken_off or not self.failed:
            return self.broken_off or 400
        statuses = {failure.status for _, failure in self.failed}
        if statuses == {OUT_OF_RESOURCES}:
            return 507
        return 503 if any(failure.passing for _, failure in self.failed) else 409

    def encode(self, media_type: str) -> bytes:
        """Return the response's body, as `JSON` or `XML`."""
        dataset = self.to_dataset()
        if media_type == XML:
            root = Element("NativeDicomModel", {"xmlns": _NATIVE})
            _add_elements(root, dataset)
            return b'<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root)
        return json.dumps(dataset.to_json_dict()).encode()

    def to_dataset(self) -> Dataset:
        """Return the Store Instances Response Module (table I.1-1)."""
        dataset = Dataset()
        dataset.RetrieveURL = None  # nothing can be retrieved here
        known = [(one, failure) for one, failure in self.failed if one is not None]
        unknown = [failure for one, failure in self.failed if one is None]
        if known:
            dataset.FailedSOPSequence = [_item(one, failure) for one, failure in known]
        if self.stored:
            dataset.ReferencedSOPSequence = [_item(one) for one in self.stored]
        if unknown:
            dataset.OtherFailuresSequence = [_item(None, failure) for failure in unknown]
        return dataset


def negotiate(accept: str) -> str:
    """Return the media type that an Accept header prefers, or nothing where it allows neither."""
    offers = {"": JSON, "*/*": JSON, "application/*": JSON, "application/json": JSON}
    offers |= {JSON: JSON, XML: XML}
    best: list[tuple[float, int, str]] = []
    for place, entry in enumerate(accept.lower().split(",")):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        weight = _quality(parameters)
        if kind in offers and weight > 0:
            best.append((-weight, place, offers[kind]))
    return min(best)[2] if best else ""


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _item(reference: Reference | None, failure: Failure | None = None) -> Dataset:
    item = Dataset()
    if reference is not None:
        item.ReferencedSOPClassUID = reference.sop_class
        item.ReferencedSOPInstanceUID = reference.sop_instance
        if failure is None:
            item.RetrieveURL = None
    if failure is not None:
        item.FailureReason = failure.status
        item.ErrorComment = failure.error_comment
    return item


def _add_elements(parent: Element, dataset: Dataset) -> None:
    """Add a data set in the native DICOM model (PS3.19, A.1)."""
    for element in dataset:
        facts = {"tag": f"{element.tag:08X}", "vr": element.VR, "keyword": element.keyword}
        attribute = SubElement(parent, "DicomAttribute", facts)
        if element.VR == "SQ":
            for number, item in enumerate(element.value, start=1):
                _add_elements(SubElement(attribute, "Item", {"number": str(number)}), item)
        elif element.value is not None:
            SubElement(attribute, "Value", {"number": "1"}).text = str(element.value)
