"""Where the commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

output = Console()
errors = Console(stderr=True)


def say(text: str) -> None:
    """Print a result line."""
    output.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)


def fail(text: str) -> None:
    """Print one error line."""
    errors.print(f"[bold red]error:[/] {escape(text)}", highlight=False, soft_wrap=True)
