"""The files of deploy/ say what is true of the service, and their own tools accept them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lungflag.service.settings import load_settings
from tests.conftest import tool

DEPLOY = Path(__file__).parents[1] / "deploy"
TOOLS = Path(sys.executable).parent


def run(*command: object) -> str:
    """Return what a tool prints, which is a fault unless it ends with 0."""
    ran = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_the_sample_settings_are_settings() -> None:
    settings = load_settings(DEPLOY / "lungflag.toml", {}, {})
    assert [target.kind for target in settings.targets] == ["dicom"]
    assert settings.allow


def test_the_compose_file_is_one_and_its_settings_are_settings() -> None:
    file = DEPLOY / "compose.yaml"
    run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)
    services = yaml.safe_load(file.read_text())["services"]
    for name in ("node", "worker"):
        settings = load_settings(None, services[name]["environment"], {})
        assert settings.database.startswith("postgresql+pg8000://")
        assert settings.targets[0].address == "ORTHANC@172.28.0.10:4242"


def test_the_dockerfile_passes_its_linter_and_copies_what_is_there() -> None:
    file = DEPLOY / "Dockerfile"
    run(TOOLS / "hadolint", file)
    sources = re.findall(r"^COPY (.+) \S+$", file.read_text(), re.MULTILINE)
    let_in = (DEPLOY.parent / ".dockerignore").read_text().split("\n!")
    for name in " ".join(sources).split():
        assert (DEPLOY.parent / name).exists()
        assert name in [line.strip() for line in let_in]


@pytest.mark.parametrize("unit", ["lungflag.service"])
def test_systemd_understands_the_unit(unit: str, tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    # The path of an installation that this machine does not have.
    text = (DEPLOY / unit).read_text().replace("/opt/lungflag/bin/lungflag", sys.executable)
    (tmp_path / unit).write_text(text)
    assert not run(analyze, "verify", tmp_path / unit)
