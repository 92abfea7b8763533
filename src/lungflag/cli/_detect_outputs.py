"""What `lungflag detect` writes beside its rows: pictures, DICOM objects, FHIR bundles."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from lungflag._extras import require
from lungflag.errors import LungflagError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lungflag.outcome import Finding, Outcome
    from lungflag.package import ModelPackage
    from lungflag.radiograph import Radiograph


class Outputs:
    """Writes what was asked for; what fails for one input loses neither its row nor the others.

    Parameters
    ----------
    overlays, dicom, fhir : Path or None
        The folders, made here; None for what is not asked for.

    Raises
    ------
    LungflagError
        If a folder cannot be written.
    MissingExtraError
        If the extra ``dicom`` is not installed and needed.
    """

    def __init__(self, *, overlays: Path | None, dicom: Path | None, fhir: Path | None) -> None:
        for folder, option, module in (
            (dicom, "--dicom", "highdicom"),
            (fhir, "--fhir", "fhirclient"),
        ):
            if folder:
                require(module, feature=f"lungflag detect {option}", extra="dicom")
        for folder in filter(None, (overlays, dicom, fhir)):
            _make(folder)
        self._overlays, self._dicom, self._fhir = overlays, dicom, fhir
        self._at = datetime.now(UTC)
        self._problems: list[str] = []
        self._without_header: list[str] = []

    def picture(self, package: ModelPackage, radiograph: Radiograph, finding: Finding) -> None:
        """Draw a finding's overlays, while its pixels are at hand. Safe in many threads."""
        if self._overlays:
            self._try(finding, _png, self._overlays, radiograph, finding)
        if self._dicom:
            self._try(finding, _capture, self._dicom, radiograph, finding, package, self._at)

    def report(self, package: ModelPackage, outcome: Outcome) -> None:
        """Write the coded result of one input."""
        if not (self._dicom or self._fhir):
            return
        self._try(outcome, self._report, outcome, package)

    def failed(self) -> bool:
        """Say what could not be written, if anything, and what had no header to write for."""
        from lungflag.cli._console import errors, fail

        if self._without_header:
            line = (
                f"{len(self._without_header)} inputs are no whole DICOM images, so they got no "
                f"coded result; the first: {self._without_header[0]}"
            )
            errors.print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)
        if self._problems:
            fail(f"{len(self._problems)} outputs not written; the first: {self._problems[0]}")
        return bool(self._problems)

    def _try(self, outcome: Outcome, write: Callable[..., None], *arguments: object) -> None:
        try:
            write(*arguments)
        except Exception as error:  # whatever it is, the outcome stands
            self._problems.append(f"{outcome.source}: {error}")

    def _report(self, outcome: Outcome, package: ModelPackage) -> None:
        from lungflag.outputs.source import read_header

        source = read_header(outcome.source)
        if source is None:
            self._without_header.append(outcome.source)
            return
        if self._dicom:
            from lungflag.outputs.structured_report import build_report

            report = build_report(outcome, source, package, self._at)
            path = _path(self._dicom, outcome, ".sr.dcm")
            report.save_as(path, enforce_file_format=True)
        if self._fhir:
            from lungflag.outputs.fhir import build_bundle

            bundle = build_bundle(outcome, source, package, self._at)
            _path(self._fhir, outcome, ".json").write_text(bundle, encoding="utf-8")


def _png(folder: Path, radiograph: Radiograph, finding: Finding) -> None:
    from lungflag.outputs.overlay import write_overlay

    write_overlay(folder, radiograph, finding)


def _capture(
    folder: Path, radiograph: Radiograph, finding: Finding, package: ModelPackage, at: datetime
) -> None:
    from lungflag.outputs.overlay import draw_overlay
    from lungflag.outputs.secondary_capture import build_overlay
    from lungflag.outputs.source import read_header

    source = read_header(finding.source)
    if source is not None:
        picture = draw_overlay(radiograph, finding)
        capture = build_overlay(finding, picture, source, package, at)
        capture.save_as(_path(folder, finding, ".sc.dcm"), enforce_file_format=True)


def _path(folder: Path, outcome: Outcome, ending: str) -> Path:
    from lungflag.outputs.overlay import output_name

    return folder / output_name(outcome.source, ending)


def _make(folder: Path) -> None:
    """Make a folder that can be written, before the first input is read."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise LungflagError(f"{folder}: cannot be written ({error.strerror})") from error
