"""The house stays as its plan says: small modules, a true map, no command undocumented."""

from __future__ import annotations

import re
from pathlib import Path

import typer
from typer.main import get_command

from lungflag.cli import app

ROOT = Path(__file__).parents[1]
ROOMS = ROOT / "src" / "lungflag"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_no_module_is_longer_than_400_lines() -> None:
    long = {
        str(path): lines
        for folder in ("src", "tests", "runs", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long


def test_the_readmes_map_names_every_room_and_nothing_else() -> None:
    block = README.split("## The map")[1].split("```")[1]
    named = set(re.findall(r"^  (\w[\w.]*)/? ", block, re.MULTILINE))
    rooms = {
        path.name
        for path in ROOMS.iterdir()
        if not path.name.startswith("_") and path.name != "py.typed"
    }
    assert named == rooms
    for folder in re.findall(r"^(\w+)/ ", block, re.MULTILINE):
        assert (ROOT / folder).is_dir()


def test_every_command_teaches_and_stands_in_the_readme() -> None:
    root = get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    for name, command in root.commands.items():
        assert f"lungflag {name}" in README
        members = command.commands if isinstance(command, typer.core.TyperGroup) else {}
        for path, member in (members or {name: command}).items():
            assert re.search(rf"lungflag [\w /]*\b{path}\b", README), path
            assert member.help
            assert all(getattr(o, "help", "") for o in member.params), path


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
