"""What readers say of a result, and how a report that supersedes another one says it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from highdicom import sr
from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from lungflag.outputs import codes

if TYPE_CHECKING:
    from datetime import datetime

    from lungflag.outputs.identity import ResultNames


@dataclass(frozen=True, slots=True)
class Assessment:
    """One reader's disagreement with a result.

    Attributes
    ----------
    reader : str
        The reader's name.
    at : datetime
        When it was said, or taken back; with time zone.
    comment : str
        What the reader wrote; may be empty.
    """

    reader: str
    at: datetime
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Amendment:
    """Why there is a further report of the same outcome.

    Attributes
    ----------
    revision : int
        From 1; the first report is 0.
    disagreeing : tuple[Assessment, ...]
        Who disagrees with the result at this moment.
    withdrawn : tuple[Assessment, ...]
        Who has just taken a disagreement back.
    predecessors : tuple[str, ...]
        SOP Instance UIDs of the revisions between the first report and this one that it replaces.
    """

    revision: int
    disagreeing: tuple[Assessment, ...] = ()
    withdrawn: tuple[Assessment, ...] = ()
    predecessors: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What `ResultNames.uid` names the report by: the same words give the same UID."""
        words = repr((self.revision, self.disagreeing, self.withdrawn, self.predecessors))
        return f"sr amended {hashlib.sha256(words.encode()).hexdigest()}"

    @property
    def summary(self) -> str:
        """What the report's completion flag is described by (a Long String)."""
        return "A reader disagrees" if self.disagreeing else "A disagreement was taken back"

    def documents(self, names: ResultNames, header: Dataset) -> list[Dataset]:
        """Return what the report replaces: the first report, and the last revision of it."""
        study = str(header.StudyInstanceUID)
        return [_document(names, study, uid) for uid in (names.uid("sr"), *self.predecessors)]

    def evaluation(self) -> sr.QualitativeEvaluation:
        """Return the statement as a code, for programs."""
        verdict = codes.DISAGREES if self.disagreeing else codes.WITHDRAWN
        return sr.QualitativeEvaluation(codes.ASSESSMENT, verdict)

    def remarks(self) -> list[str]:
        """Return the statement in words, a line for each reader."""
        lines = [
            f"The reader {one.reader} disagrees with this AI result ({_moment(one.at)})"
            + (f": {one.comment}" if one.comment else ".")
            for one in self.disagreeing
        ]
        return lines + [
            f"The reader {one.reader} has taken the disagreement with this AI result back "
            f"({_moment(one.at)})."
            for one in self.withdrawn
        ]


def _document(names: ResultNames, study: str, uid: str) -> Dataset:
    document = Dataset()
    document.SOPClassUID = Comprehensive3DSRStorage
    document.SOPInstanceUID = uid
    document.StudyInstanceUID = study
    document.SeriesInstanceUID = names.uid("sr-series")
    return document


def _moment(at: datetime) -> str:
    return at.isoformat(sep=" ", timespec="minutes").replace("+00:00", " UTC")
