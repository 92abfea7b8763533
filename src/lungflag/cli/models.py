"""`lungflag models`: the model packages that come with lungflag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from lungflag.package import ModelPackage


def models(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME|DIR]", help="Show this package's card.", show_default=False),
    ] = None,
) -> None:
    """List the shipped model packages, or show the card of one.

    Example: lungflag models guangzhou

    Every file is checked against its hash on the way.
    """
    from rich.markdown import Markdown

    from lungflag.cli._console import output, say
    from lungflag.package import ModelPackage, find_package, shipped_packages

    if name is None:
        names = shipped_packages()
        for folder in map(find_package, names):
            output.print(_describe(ModelPackage.read(folder), folder), highlight=False)
        if not names:
            say("no model packages are shipped with this install")
        return
    card = ModelPackage.read(find_package(name)).card()
    if output.is_terminal:
        output.print(Markdown(card))
    else:
        output.file.write(card)


def _describe(package: ModelPackage, folder: Path) -> Table:
    """Return a block of key and value rows for one package."""
    from rich.table import Table
    from rich.text import Text

    from lungflag.detector import DEFAULT_MODEL

    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    title = Text.assemble((package.name, "bold"), f" {package.version}, {size:.1f} MB")
    if package.name == DEFAULT_MODEL:
        title.append(" (default)", style="green")
    table = Table(
        title=title,
        title_justify="left",
        title_style="",
        box=None,
        show_header=False,
        pad_edge=False,
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for point in package.operating_points:
        group = f", {point.age_group}" if point.age_group else ""
        default = ", default" if point.name == package.default_operating_point else ""
        figures = (
            f"sensitivity {point.sensitivity:.3f}, specificity {point.specificity:.3f} "
            f"on {point.n:,} images at threshold {point.threshold:.3f}; {point.rule}"
        )
        table.add_row(f"  operating point {point.name}{group}{default}", Text(figures))
    for entry in package.training_data:
        counts = f"{entry['images']:,} images of {entry['patients']:,} patients"
        table.add_row("  trained on", Text(f"{entry['name']}: {counts}; {entry['licence']}"))
    return table
