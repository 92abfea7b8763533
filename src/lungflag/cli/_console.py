"""Where the commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

output = Console()
errors = Console(stderr=True)


def say(text: str) -> None:
    """Print a result line."""
    output.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)


def fail(text: str) -> None:
    """Print one error line."""
    errors.print(f"[bold red]error:[/] {escape(text)}", highlight=False, soft_wrap=True)


def narrow_table(title: str) -> Table:
    """Return an empty table, narrow enough for 80 columns."""
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        show_edge=False,
    )
