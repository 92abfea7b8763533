"""Identifiers that follow from what a result is of: the same result always has the same UID."""

from __future__ import annotations

import uuid

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
        What is named: ``sr``, ``sr-series``, ``sc``, ``sc-series`` ...

    Returns
    -------
    str
        A UID of the branch for UUIDs, ``2.25.`` and the number (PS3.5, B.2).
    """
    return f"2.25.{result_uuid(sop_instance_uid, package, version, kind).int}"


def result_uuid(sop_instance_uid: str, package: str, version: str, kind: str) -> uuid.UUID:
    """Return the UUID that `result_uid` is made of, for FHIR's identifiers."""
    # Newlines stand in none of the four, so that no two quadruples share a name.
    return uuid.uuid5(_SPACE, "\n".join((sop_instance_uid, package, version, kind)))
