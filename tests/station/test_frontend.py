"""The committed pages are the ones that the sources make, and ask nobody else for anything."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"
BUILT = ROOT / "src" / "lungflag" / "station" / "static"
SOURCES = (
    "index.html",
    "package-lock.json",
    "package.json",
    "src",
    "tsconfig.json",
    "vite.config.ts",
)


def sources() -> list[str]:
    paths = [
        path
        for name in SOURCES
        for path in ((FRONTEND / name).rglob("*") if name == "src" else [FRONTEND / name])
        if path.is_file()
    ]
    return sorted(path.relative_to(FRONTEND).as_posix() for path in paths)


def test_the_committed_build_is_of_these_sources() -> None:
    digest = sha256()
    for name in sources():
        digest.update(f"{name}\0".encode())
        digest.update((FRONTEND / name).read_bytes())
        digest.update(b"\0")
    built = json.loads((BUILT / "build.json").read_text())
    assert built["sources"] == digest.hexdigest(), "run `make frontend` and commit what it built"


def test_the_build_is_small_hashed_and_without_source_maps() -> None:
    files = [path for path in BUILT.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 400_000
    for path in files:
        assert path.suffix != ".map"
        if path.name not in ("index.html", "build.json"):
            assert re.fullmatch(r"[\w.]+-[\w-]{8}\.(js|css|svg)", path.name), path.name
            assert "sourceMappingURL" not in path.read_text(encoding="utf-8")


def test_the_pages_load_nothing_from_elsewhere_and_hold_nothing_inline() -> None:
    page = (BUILT / "index.html").read_text(encoding="utf-8")
    for address in re.findall(r"(?:src|href)=\"([^\"]*)\"", page):
        assert address.startswith("/assets/"), address
        assert (BUILT / address.removeprefix("/")).is_file()
    assert "<style" not in page
    assert not re.search(r"<script[^>]*>[^<\s]", page)


def test_the_lock_names_no_registry() -> None:
    assert "resolved" not in (FRONTEND / "package-lock.json").read_text(encoding="utf-8")
