"""What the worker and its child say to each other, as lines of JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from lungflag.service.results import Rendered

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAIN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "finding": (
            *("operating_point", "seconds"),
            *("probability", "flagged", "threshold", "age_group", "marks"),
        ),
        "rejection": ("operating_point", "seconds", "code", "reason"),
    }
)
"""Kind of an outcome to its fields that go to and fro as they are."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a child needs to know once.

    Attributes
    ----------
    model : str
        A shipped package's name or a package's folder.
    operating_point : str
        Empty for the package's default.
    threads : int
        Threads within one inference.
    memory_mib : int
        Data that the process may hold, MiB. Beyond it, allocations fail.
    parent : int
        Process id of the parent, with which it dies.
    """

    model: str
    operating_point: str
    threads: int
    memory_mib: int
    parent: int


@dataclass(frozen=True, slots=True)
class Task:
    """One instance to be judged, or one to be given up.

    Attributes
    ----------
    number : int
        The job's id.
    path : str
        The object's file.
    folder : str
        Where the results go; it is made.
    at : str
        The results' date and time, ISO 8601. Not the clock's: a repeat makes the same bytes.
    known : Mapping[str, str]
        DICOM keyword to value, from the ledger's row, where the header cannot be used.
    source : {"pixels", "header", "row"}
        How much of the object is read. Anything but its pixels ends as a Rejection.
    reason : str
        That Rejection's reason.
    raster : bool
        Whether the object is a PNG or JPEG file, without a header.
    amendment : Mapping[str, Any] or None
        What a reader has said of an outcome that is there already: then nothing is judged, and a
        report is written that supersedes the one before. See `lungflag.service.amend`.
    """

    number: int
    path: str
    folder: str
    at: str
    known: Mapping[str, str]
    source: Literal["pixels", "header", "row"] = "pixels"
    reason: str = ""
    raster: bool = False
    amendment: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a task.

    Attributes
    ----------
    number : int
        The task's.
    outcome : Mapping[str, Any]
        The outcome's plain fields: those of a Finding without its arrays, or of a Rejection.
    arrays : Mapping[str, Any]
        Of a Finding: heatmap and embedding as float16 in base64, the heatmap's shape, and mean and
        deviation of the greys that the network saw; named as in `OutcomeRecord`.
    rendered : tuple[Rendered, ...]
        The files written into the task's folder.
    note : str
        What a person who runs the service should hear of, without patient data.
    error : str
        Why there is no outcome; empty where there is one.
    environment : bool
        Whether the error is the machine's (a full disk), and says nothing about the instance.
    """

    number: int
    outcome: Mapping[str, Any] = field(default_factory=dict)
    rendered: tuple[Rendered, ...] = ()
    note: str = ""
    error: str = ""
    environment: bool = False
    arrays: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Reply:
        """Return the reply that a line of JSON holds."""
        return cls(**{**line, "rendered": tuple(Rendered(**one) for one in line["rendered"])})
