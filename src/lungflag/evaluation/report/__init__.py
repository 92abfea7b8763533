"""The report: one page for a clinician and one JSON file for a program.

The modules of this room draw with matplotlib and Jinja. Call `prepare_report` first, which says in
one line what is missing; import `lungflag.evaluation.report.page` after it.
"""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from lungflag._extras import require
from lungflag.errors import LungflagError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["prepare_report"]


def prepare_report(folder: Path) -> None:
    """Make the report's folder, so that a long evaluation does not fail at its end.

    Raises
    ------
    MissingExtraError
        Without matplotlib, Jinja or scikit-learn (extra ``evidence``).
    LungflagError
        If the folder cannot be made or written.
    """
    for module in ("matplotlib", "jinja2", "markdown_it", "sklearn"):
        require(module, feature="the evaluation report", extra="evidence")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise LungflagError(f"{folder}: cannot hold the report ({error.strerror})") from error
