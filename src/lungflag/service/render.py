"""An outcome becomes files: report, overlay and bundle. Only the child does this."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from lungflag.outcome import Finding
from lungflag.outputs.fhir import build_bundle
from lungflag.outputs.identity import result_uid
from lungflag.outputs.overlay import add_legend, draw_heatmap
from lungflag.outputs.secondary_capture import build_overlay
from lungflag.outputs.structured_report import build_report
from lungflag.service.results import NAMES, THUMBNAIL, Kind, Rendered

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from PIL import Image
    from pydicom import Dataset

    from lungflag.outcome import Outcome
    from lungflag.package import ModelPackage
    from lungflag.radiograph import Radiograph


THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 256, 80
"""Pixels of its longer side; JPEG quality."""


def render(
    outcome: Outcome,
    source: Dataset,
    radiograph: Radiograph | None,
    package: ModelPackage,
    at: datetime,
    folder: Path,
) -> tuple[Rendered, ...]:
    """Write an outcome's report, overlay and bundle to `folder`, which is made.

    Parameters
    ----------
    outcome : Outcome
        A Rejection gets no overlay.
    source : pydicom.Dataset
        The object's header.
    radiograph : Radiograph, optional
        The object's pixels; there are some where `outcome` is a Finding.
    package : ModelPackage
        What made the outcome.
    at : datetime
        Date and time of the results.
    folder : Path
        Its name ends with ``.tmp``: `lungflag.service.results.publish` makes it final. What is
        there is replaced.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rendered = [_write_object("sr", build_report(outcome, source, package, at), folder)]
    if isinstance(outcome, Finding) and radiograph is not None:
        film = draw_heatmap(radiograph, outcome)
        overlay = build_overlay(outcome, add_legend(film, outcome), source, package, at)
        rendered.append(_write_object("sc", overlay, folder))
        _write_thumbnail(film, folder)
    (folder / NAMES["fhir"]).write_text(build_bundle(outcome, source, package, at), "utf-8")
    name, version = package.name, package.version
    uid = result_uid(str(source.SOPInstanceUID), name, version, f"fhir {outcome.operating_point}")
    rendered.append(Rendered("fhir", uid))
    return tuple(rendered)


def _write_thumbnail(film: Image.Image, folder: Path) -> None:
    film.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), reducing_gap=1.0)
    film.save(folder / THUMBNAIL, quality=THUMBNAIL_QUALITY)


def _write_object(kind: Kind, dataset: Dataset, folder: Path) -> Rendered:
    dataset.save_as(folder / NAMES[kind], enforce_file_format=True)
    return Rendered(kind, str(dataset.SOPInstanceUID))
