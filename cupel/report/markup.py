"""HTML that is escaped unless it was made here: text of documents and models is never markup."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable


class Safe(str):
    """Markup that was built by `tag`; any other string is escaped where it is put in."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]

_VOID = frozenset({"meta", "br", "input", "line", "path", "rect", "circle", "use"})


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Safe:
    """Return one element; children and attribute values are escaped, `None` is left out.

    `class_` and `for_` lose their underscore, others become hyphens. Numbers are written short.

    >>> tag("p", "1 < 2", tag("b", "yes"), class_='a "b"')
    '<p class="a &quot;b&quot;">1 &lt; 2<b>yes</b></p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID and not children:
        return Safe(f"<{name}{written}/>" if name not in {"meta", "br", "input"} else f"<{name}{written}>")
    return Safe(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Safe:
    """Return the children one after another, escaped where they are plain text."""
    return Safe("".join(_child(child) for child in children))


def policy(style: str, script: str = "") -> str:
    """Return the Content-Security-Policy of a page with this style and script, and nothing else whatever.

    >>> policy("b{}")[:37]
    "default-src 'none'; script-src 'none'"
    """
    return (
        f"default-src 'none'; script-src '{_digest(script) if script else 'none'}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Safe):
        return child
    if isinstance(child, str):
        return html.escape(child)
    return html.escape(_short(child)) if isinstance(child, int | float) else join(child)


def _short(value: str | float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
