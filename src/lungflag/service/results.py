"""Results on disk: ``results/JOB/ATTEMPT/{report.dcm, overlay.dcm, bundle.json, thumbnail.jpg}``.

The child writes into ``ATTEMPT.tmp``; the worker flushes that to the disk and renames it, while the
child is at the next one. Attempts are counted when a job is leased, so that no two workers ever
write to the same folder.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lungflag._disk import flush

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Kind = Literal["sr", "sc", "fhir"]

NAMES: Mapping[Kind, str] = {"sr": "report.dcm", "sc": "overlay.dcm", "fhir": "bundle.json"}
"""Kind of a result to its file name."""

THUMBNAIL = "thumbnail.jpg"
"""A small picture of a finding's overlay. It stays here: no target gets it."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One result's file.

    Attributes
    ----------
    kind : str
        ``sr``, ``sc`` or ``fhir``.
    uid : str
        Its SOP Instance UID; of a bundle, the UID that its identifiers are made from.
    """

    kind: Kind
    uid: str


def publish(folder: Path) -> Path:
    """Make ``results/JOB/ATTEMPT.tmp`` durable and final: return ``results/JOB/ATTEMPT``."""
    final = folder.with_suffix("")
    for path in folder.iterdir():
        flush(path)
    flush(folder)
    shutil.rmtree(final, ignore_errors=True)
    folder.rename(final)
    flush(final.parent)
    flush(final.parent.parent)
    return final


def keep_only(folder: Path) -> None:
    """Delete what other attempts at the same job left beside `folder`."""
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


def discard(folder: Path) -> None:
    """Delete an attempt's results, and the job's folder if nothing else is in it."""
    for each in (folder, folder.with_suffix(".tmp")):
        shutil.rmtree(each, ignore_errors=True)
    try:
        folder.parent.rmdir()
    except OSError:  # another attempt's results are there, or none ever were
        return
