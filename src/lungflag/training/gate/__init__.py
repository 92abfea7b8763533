"""Train the quality gate: a frozen stem, a small head for the kind of picture, and a distance.

`views` makes good and bad examples of films, `examples` shows them to the stem, `fit` fits the
heads, the distance and the thresholds, `network` exports the graph. A fitted gate lies in a folder
of its own until a model package takes it in:

>>> settings, graph = load_gate(folder)  # doctest: +SKIP
>>> replace(package, gate=settings).write(out, graph=..., card=..., gate=graph)  # doctest: +SKIP
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from lungflag._record import build
from lungflag.errors import PackageError, PackageFormatError
from lungflag.quality.settings import GateSettings

if TYPE_CHECKING:
    from pathlib import Path

GRAPH, SETTINGS = "gate.onnx", "gate.json"


def save_gate(folder: Path, settings: GateSettings, graph: bytes) -> None:
    """Write a fitted gate to `folder`, which is made.

    Raises
    ------
    PackageError
        If it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / GRAPH).write_bytes(graph)
        text = json.dumps(asdict(settings), indent=2) + "\n"
        (folder / SETTINGS).write_text(text, encoding="utf-8")
    except OSError as error:
        raise PackageError(f"{folder}: cannot be written ({error})") from error


def load_gate(folder: Path) -> tuple[GateSettings, bytes]:
    """Return what `save_gate` wrote.

    Raises
    ------
    PackageFormatError
        If it is not there, or its settings are not whole.
    """
    try:
        graph = (folder / GRAPH).read_bytes()
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PackageFormatError(f"{folder}: no fitted gate ({error})") from error
    return build(GateSettings, settings), graph
