"""`lungflag card`: a package's model card, made of what is on record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def card(
    package: Annotated[
        str, typer.Argument(help="A shipped package's name, or a package's folder.")
    ],
    write: Annotated[
        bool, typer.Option("--write", help="Put the card into the package (its README.md).")
    ] = False,
    add: Annotated[
        list[Path] | None,
        typer.Option(help="Put an evaluation (evaluate --json) on record, and write. Repeatable."),
    ] = None,
    name: Annotated[
        str, typer.Option(help="What to call the data of --add; its file name where none is given.")
    ] = "",
    note: Annotated[
        str, typer.Option(help="What else a reader of the evaluation of --add has to know.")
    ] = "",
    failure: Annotated[
        list[str] | None,
        typer.Option(
            help="Put a known failure on record, a sentence for clinicians, and write. Repeatable."
        ),
    ] = None,
) -> None:
    """Show a package's model card: intended use, evidence, limits, TRIPOD+AI and CLAIM items.

    Example: lungflag card packages/mine --add figures.json --name "our ward, 2025"

    Every figure comes from the package's record; what nobody measured is called not measured.
    Putting something on record changes the package's digest, and nothing that it computes.
    """
    from datetime import UTC, datetime

    from rich.markdown import Markdown

    from lungflag.card import add_evidence, add_failures, read_evaluation, render, rewrite
    from lungflag.cli._console import output, say
    from lungflag.errors import LungflagError
    from lungflag.package import ModelPackage, find_package

    if name and len(add or ()) != 1:
        raise LungflagError("--name goes with one --add: it names the data of that evaluation")
    if note and not add:
        raise LungflagError("--note goes with --add: it is about that evaluation")
    found = ModelPackage.read(find_package(package))
    today = datetime.now(UTC).date().isoformat()
    evidence = [
        read_evaluation(file, found, date=today, name=name, note=note) for file in add or ()
    ]
    if evidence:
        found = add_evidence(found, evidence)
    if failure:
        found = add_failures(found, failure)
    if write or evidence or failure:
        written = rewrite(found)
        say(f"{written.folder}: card of {written.name} {written.version} written")
        return
    text = render(found)
    if output.is_terminal:
        output.print(Markdown(text))
    else:
        output.file.write(text)
