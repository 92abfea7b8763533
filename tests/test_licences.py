"""A company must be able to ship lungflag: every dependency outside `dev` is permissive."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("evidence", "train", "dicom", "service", "station", "bulk", "s3", "ray", "all")
PERMISSIVE = re.compile(
    r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|HPND|Zlib|Unlicense|0BSD|CNRI)\b",
    re.IGNORECASE,
)
COPYLEFT = re.compile(r"\b(A?GPL|LGPL|GNU|MPL|Mozilla|EUPL|SSPL)", re.IGNORECASE)

# Proprietary and redistributable; they come with torch's CUDA wheels only, never with the base.
CUDA = re.compile(r"(nvidia-|cuda-)")

# Copyleft by file (MPL-2.0): used unmodified, so nothing of the shipping product is touched. Model
# hubs and download bars of the `train` extra bring them, and fhirclient in `dicom` brings certifi;
# the base may not.
BY_FILE = {"certifi", "tqdm"}


def _needed(name: str, extras: tuple[str, ...], seen: set[tuple[str, str]]) -> None:
    """Collect (package, extra) pairs that `name` with `extras` brings, as installed here."""
    for extra in ("", *extras):
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for text in distribution(name).requires or ():
            requirement = Requirement(text)
            if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
                continue
            _needed(canonicalize_name(requirement.name), tuple(requirement.extras), seen)


def _shipped() -> list[str]:
    seen: set[tuple[str, str]] = set()
    try:
        _needed("lungflag", EXTRAS, seen)
    except PackageNotFoundError as error:
        pytest.fail(f"{error.name} is not installed; `make test` installs every extra")
    return sorted({name for name, _ in seen} - {"lungflag"})


def _licence(package: Distribution) -> str:
    stated = package.metadata.json
    classifiers = [c for c in stated.get("classifier", []) if c.startswith("License")]
    first_line = str(stated.get("license", "")).split("\n")[0]
    return " ".join([str(stated.get("license_expression", "")), *classifiers, first_line])


def test_every_dependency_outside_dev_is_permissive() -> None:
    faults = []
    for name in _shipped():
        licence = _licence(distribution(name))
        if CUDA.match(name) or name in BY_FILE:
            continue
        if COPYLEFT.search(licence) or not PERMISSIVE.search(licence):
            faults.append(f"{name}: {licence.strip() or 'no licence stated'}")
    assert not faults, "\n".join(faults)


def test_the_base_is_light_and_brings_no_copyleft_codec() -> None:
    seen: set[tuple[str, str]] = set()
    _needed("lungflag", (), seen)
    base = {name for name, _ in seen}
    assert not base & {"torch", "scipy", "scikit-learn", "pyarrow", "matplotlib", "pandas"}
    assert not base & BY_FILE
    assert not any(CUDA.match(name) for name in base)
    assert "pylibjpeg-libjpeg" not in set(_shipped())
