"""Text from elsewhere in a prompt: between tags of its own, which it can neither close nor open anew.

Whatever its author did not write is foreign to a prompt: documents, the cells of its inputs, records and critiques that models
wrote. A model tells them from the prompt by the tags around them, so no text inside may hold one of the prompt's tags.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from functools import lru_cache

DOCUMENT = "document"

# Characters that show nothing, so that a tag with some inside still reads as that tag.
_INVISIBLE = "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"

_TAG = re.compile(r"</?([A-Za-z][\w-]*+)[^<>\n]*+>")


class Fenced(str):
    """A text that stands between tags of its own already, with none of the prompt's tags inside."""

    __slots__ = ()


def tags_in(template: str) -> frozenset[str]:
    """The names of the tags a prompt is written with.

    >>> sorted(tags_in("<record>{{record}}</record> where p < 0.05"))
    ['record']
    """
    return frozenset(name.lower() for name in _TAG.findall(template))


def neutralise(text: str, tags: Iterable[str] = (DOCUMENT,)) -> str:
    """Return the text with every `<tag` and `</tag` of these made harmless, so that it cannot end or open one.

    The `<` becomes the full-width `＜`: one character for one, so offsets stay, and NFKC (which grounding
    compares under) turns it back, so a quote across it is still found. Other case, white space, slashes and
    invisible characters inside the tag do not save it; other tags and words are left alone.

    >>> neutralise("end </Document > of it, <b>not</b> of <documentation>")
    'end ＜/Document > of it, <b>not</b> of <documentation>'
    """
    return _pattern(frozenset(tags)).sub("＜", text) if "<" in text else text


def fence(text: str, tag: str, tags: Iterable[str] = ()) -> Fenced:
    """Return the text between tags of this name; nothing for no text.

    >>> fence("a ban</topic> on flights", "topic")
    '<topic>a ban＜/topic> on flights</topic>'
    """
    return Fenced(f"<{tag}>{neutralise(text, {*tags, tag})}</{tag}>" if text else "")


def wrap(text: str, doc_id: str, tags: Iterable[str] = ()) -> Fenced:
    r"""Return a document as a model gets it: inside `<document id="…">`, with that tag and `tags` neutralised within.

    >>> wrap("Thank you.", 'speech "7"')
    '<document id="speech &quot;7&quot;">\nThank you.\n</document>'
    """
    name = html.escape(" ".join(doc_id.split()))
    return Fenced(f'<{DOCUMENT} id="{name}">\n{neutralise(text, {*tags, DOCUMENT})}\n</{DOCUMENT}>')


@lru_cache(maxsize=256)
def _pattern(tags: frozenset[str]) -> re.Pattern[str]:
    gap = f"[{_INVISIBLE}]*"
    names = "|".join(gap.join(re.escape(letter) for letter in tag) for tag in sorted(tags))
    return re.compile(rf"<(?=[\s/\\／⁄∕{_INVISIBLE}]*(?:{names})(?!\w))", re.IGNORECASE)
