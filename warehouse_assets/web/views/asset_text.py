"""Text that people wrote as pages show it: markdown without HTML, Python and SQL with their words coloured by class."""

from __future__ import annotations

import functools
from typing import Any

from markupsafe import Markup, escape

__all__ = ["highlighted", "markdown"]

_LONGEST = 200_000


def markdown(text: str | None) -> Markup:
    """Markdown as HTML: tags in it are shown as text, pictures as links, and links lead to the web or to this server only.

    >>> markdown("**bold** <script>")
    Markup('<p><strong>bold</strong> &lt;script&gt;</p>\\n')
    """
    return Markup(_parser().render((text or "")[:_LONGEST]))


@functools.cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "breaks": False}).enable("table").disable("image")
    parser.validateLink = _is_safe  # type: ignore[method-assign, assignment]
    parser.add_render_rule("link_open", _opened)
    return parser


def _is_safe(address: str) -> bool:
    """Whether a link may be followed: not into scripts, files or data."""
    scheme, colon, _ = address.strip().partition(":")
    return not colon or scheme.lower() in ("http", "https", "mailto") or any(sign in scheme for sign in "/?#")


def _opened(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    rendered: str = self.renderToken(tokens, index, options, env)
    return rendered


def highlighted(text: str, language: str, first_line: int | None = None) -> Markup:
    """Code with its words in spans of classes; the numbers of its lines are in front where the first is given.

    >>> highlighted("select 1", "sql")
    Markup('<span class="k">select</span><span class="w"> </span><span class="mi">1</span>')
    """
    from pygments import highlight  # type: ignore[import-untyped]
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]

    cut = text[:_LONGEST]
    lexer = get_lexer_by_name(
        {"python": "python", "sql": "sql", "json": "json"}.get(language, "text"), stripnl=False, ensurenl=False
    )
    html = Markup(highlight(cut, lexer, HtmlFormatter(nowrap=True)).rstrip("\n"))
    if first_line is None:
        return html
    lines = html.split("\n")
    rows = (Markup('<span class="ln">{}</span>{}').format(first_line + number, line) for number, line in enumerate(lines))
    return escape("\n").join(rows)
