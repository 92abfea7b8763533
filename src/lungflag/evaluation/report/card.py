"""The package's card, as parts of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

FOREMOST = ("Intended use", "Do not use it", "Known failures and limits")
"""What a reader must know before any figure."""

RECORD = (
    "Evidence",
    "Development figures",
    "What it refuses",
    "Recalibrated at a site",
    "How it was made",
)
"""What the report itself does not say. The card's other parts are about the same as its own."""


def parts(card: str) -> dict[str, Markup]:
    """Return what stands under each second-level heading of a card in Markdown, as HTML.

    HTML within it is shown as text, and pictures are left out: a report loads nothing.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = markdown.parse(card)
    starts = [
        i for i, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"
    ]
    return {
        tokens[start + 1].content: _render(markdown, tokens[start + 3 : end])
        for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True)
    }


def _render(markdown: MarkdownIt, tokens: Sequence[Token]) -> Markup:
    html = markdown.renderer.render(tokens, markdown.options, {})
    html = html.replace("<table>", '<div class="wide"><table>').replace(
        "</table>", "</table></div>"
    )
    return Markup(html)  # noqa: S704  # the renderer escapes all text, and HTML is switched off
