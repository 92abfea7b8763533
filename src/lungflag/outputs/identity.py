"""Identifiers that follow from what a result is of: the same result always has the same UID."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.uid import UID

if TYPE_CHECKING:
    from pydicom import Dataset

    from lungflag.outcome import Outcome
    from lungflag.package import ModelPackage

IMPLEMENTATION_UID = UID("2.25.92949114814098075773900180893988906259")
"""Implementation Class UID of lungflag's files and associations (PS3.7, D.3.3.2)."""

_SPACE = uuid.UUID("6b5f9f4e-4b0c-5a34-9f57-1f2f6a0c2d11")


def result_uid(sop_instance_uid: str, package: str, version: str, kind: str) -> str:
    """Return the UID of one of the objects that a result becomes.

    A resent image gives the same UIDs, so that an archive takes the results of a retry for what
    they are, and another version of the package gives others.

    Parameters
    ----------
    sop_instance_uid : str
        Of the image that was judged.
    package, version : str
        Of the model package.
    kind : str
        What is named, as in `ResultNames`.

    Returns
    -------
    str
        A UID of the branch for UUIDs, ``2.25.`` and the number (PS3.5, B.2).
    """
    return f"2.25.{result_uuid(sop_instance_uid, package, version, kind).int}"


def result_uuid(sop_instance_uid: str, package: str, version: str, kind: str) -> uuid.UUID:
    """Return the UUID that `result_uid` is made of, for FHIR's identifiers."""
    # A line end stands in none of the four, so that no two quadruples share a name.
    return uuid.uuid5(_SPACE, "\n".join((sop_instance_uid, package, version, kind)))


@dataclass(frozen=True, slots=True)
class ResultNames:
    """The identifiers of everything that one outcome becomes.

    The operating point is part of the kind: a second run at another one says something else, so
    it is another object.

    Attributes
    ----------
    instance : str
        SOP Instance UID of the image.
    package, version : str
        Of the model package.
    point : str
        The operating point's name.
    """

    instance: str
    package: str
    version: str
    point: str

    @classmethod
    def of(cls, outcome: Outcome, header: Dataset, package: ModelPackage) -> ResultNames:
        """Return the names for an outcome of the image with this header."""
        return cls(
            str(header.SOPInstanceUID), package.name, package.version, outcome.operating_point
        )

    def uid(self, kind: str) -> str:
        """Return a UID; kinds are ``sr``, ``sr-series``, ``sc``, ``sc-series``, ``tracking``."""
        return result_uid(self.instance, self.package, self.version, f"{kind} {self.point}")

    def uuid(self, kind: str) -> str:
        """Return a UUID as text, for the ids of FHIR's resources."""
        return str(result_uuid(self.instance, self.package, self.version, f"{kind} {self.point}"))


def device_uuid(package: ModelPackage) -> uuid.UUID:
    """Return the UUID of a package as a device: of its very bytes, not only of its version."""
    return result_uuid(package.digest, package.name, package.version, "device")
