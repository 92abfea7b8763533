"""`lungflag feedback`: what readers said, for whoever recalibrates or trains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungflag.cli._settings import with_settings

if TYPE_CHECKING:
    from lungflag.service.settings import Settings

app = typer.Typer(
    help="Take out what readers said in the reading station.",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    """Take out what readers said in the reading station."""


@app.command("export")
@with_settings("folder", "database")
def export(
    settings: Settings,
    out: Annotated[Path, typer.Argument(metavar="MANIFEST", help="The CSV file to write.")],
    source: Annotated[str, typer.Option(help="What the manifest calls the data set.")] = "feedback",
    identified: Annotated[
        bool,
        typer.Option(
            "--identified", help="With Patient IDs and comments, instead of a hash of the ID."
        ),
    ] = False,
) -> None:
    """Write a manifest of the images that readers have agreed or disagreed with.

    Example: lungflag feedback export feedback.csv --config lungflag.toml

    The label follows from the reader's word on the detector's: it is no reference standard that was
    made without it. Exit code 1 where images were left out.
    """
    from lungflag.cli._console import say
    from lungflag.service.ledger import Ledger
    from lungflag.station.feedback import read_feedback

    with Ledger.open(settings.database_url) as ledger:
        found = read_feedback(ledger, settings.folder, source=source, identified=identified)
    found.manifest.write(out)
    say(f"{len(found.rows)} images in {out}")
    left = {
        "nobody was sure of": found.unsure,
        "readers are divided over": found.divided,
        "had not been judged": found.rejected,
        "were deleted by age": found.gone,
    }
    for why, n in left.items():
        if n:
            say(f"{n} left out that {why}")
    if any(left.values()):
        raise typer.Exit(1)
