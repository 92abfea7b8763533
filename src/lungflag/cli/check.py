"""`lungflag check`: whether the service can work with its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lungflag.cli._settings import EVERY, with_settings

if TYPE_CHECKING:
    from lungflag.service.check import Line
    from lungflag.service.settings import Settings


@with_settings(*EVERY)
def check(
    settings: Settings,
    create: Annotated[
        bool, typer.Option("--create", help="Make the ledger's tables, or bring them up to date.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Look at everything that the service needs: settings, model, ledger, disk, ports and peers.

    Example: lungflag check --config lungflag.toml

    Exit code 1 where the service could not work.
    """
    import json
    from dataclasses import asdict

    from lungflag.cli._console import say
    from lungflag.service.check import check as look

    fine = True
    for line in look(settings, create=create):
        fine = fine and line.fine
        say(json.dumps(asdict(line)) if as_json else _in_words(line))
    if not fine:
        raise typer.Exit(1)


def _in_words(line: Line) -> str:
    advice = f" -> {line.advice}" if line.advice else ""
    return f"{'ok ' if line.fine else 'BAD'} {line.name}: {line.found}{advice}"
