"""Flags suspected pneumonia in chest radiographs.

>>> from lungflag import Detector, read_radiograph
>>> detector = Detector.load("phantom")
>>> finding = detector.detect(read_radiograph("film.dcm"))  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lungflag.calibration import Calibration, OperatingPoint
    from lungflag.data.manifest import Manifest, Row
    from lungflag.data.sources import open_data
    from lungflag.detector import Detector
    from lungflag.errors import (
        BulkError,
        ConfigurationError,
        FetchError,
        InputError,
        LedgerError,
        LungflagError,
        ManifestError,
        MissingExtraError,
        NotARadiographError,
        PackageError,
        PackageFormatError,
        PackageTamperedError,
        QualityError,
        RefusedError,
        ServiceError,
        SpoolFullError,
        TrainingError,
        UnreadableError,
    )
    from lungflag.outcome import Finding, Outcome, Rejection
    from lungflag.outputs.overlay import draw_overlay
    from lungflag.package import ModelPackage
    from lungflag.preprocess import Preprocess
    from lungflag.radiograph import Radiograph, read_radiograph

_ROOMS = {
    "calibration": ("Calibration", "OperatingPoint"),
    "data.manifest": ("Manifest", "Row"),
    "data.sources": ("open_data",),
    "detector": ("Detector",),
    "errors": (
        "BulkError", "ConfigurationError", "FetchError", "InputError", "LedgerError",
        "LungflagError", "ManifestError", "MissingExtraError", "NotARadiographError",
        "PackageError", "PackageFormatError", "PackageTamperedError", "QualityError",
        "RefusedError", "ServiceError", "SpoolFullError", "TrainingError", "UnreadableError",
    ),
    "outcome": ("Finding", "Outcome", "Rejection"),
    "outputs.overlay": ("draw_overlay",),
    "package": ("ModelPackage",),
    "preprocess": ("Preprocess",),
    "radiograph": ("Radiograph", "read_radiograph"),
}  # fmt: skip
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "BulkError",
    "Calibration",
    "ConfigurationError",
    "Detector",
    "FetchError",
    "Finding",
    "InputError",
    "LedgerError",
    "LungflagError",
    "Manifest",
    "ManifestError",
    "MissingExtraError",
    "ModelPackage",
    "NotARadiographError",
    "OperatingPoint",
    "Outcome",
    "PackageError",
    "PackageFormatError",
    "PackageTamperedError",
    "Preprocess",
    "QualityError",
    "Radiograph",
    "RefusedError",
    "Rejection",
    "Row",
    "ServiceError",
    "SpoolFullError",
    "TrainingError",
    "UnreadableError",
    "draw_overlay",
    "open_data",
    "read_radiograph",
]


def __getattr__(name: str) -> object:
    """Import a public name on first use: `lungflag --help` does not wait for ONNX Runtime."""
    if name not in _HOME:
        raise AttributeError(f"module 'lungflag' has no attribute {name!r}")
    return getattr(import_module(f"lungflag.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
