"""Text from elsewhere in a prompt: between tags of its own, which it can neither close nor open anew.

Whatever its author did not write is foreign to a prompt: documents, the cells of its inputs, records and critiques that models
wrote. A model tells them from the prompt by the tags around them, so no text inside may hold one of the prompt's tags.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

DOCUMENT = "document"

_SILENT = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u3164\uffa0"
"""Signs that show nothing although Unicode counts them among letters and marks."""

_OPENED = re.compile(r"<([^<>]*+)")
"""A `<` and what would stand inside its tag."""

_CONTROL_TOKENS = re.compile(
    r"<(?=[|｜]|</?SYS>>|/?(?:s|bos|eos|pad|unk|mask|think|tools?|tool_(?:call|response)|(?:start|end)_of_(?:turn|image))>)"
    r"|\[(?=/?(?:INST|IMG|THINK|ARGS|SYSTEM_PROMPT|MODEL_SETTINGS|AVAILABLE_TOOLS|TOOL_(?:CALLS|RESULTS|CONTENT))\])"
)
"""How chat templates mark turns: what a server's tokenizer reads as its own signs wherever they stand, in a message too."""

_WIDE = {"<": "＜", "[": "［"}

_ALIKE = str.maketrans(
    {
        other: letter
        for letter, others in {
            "a": "ɑΑαАаᴀ",
            "b": "ʙΒВᏴ",
            "c": "ϲСсᴄ",
            "d": "đԁᴅ",
            "e": "ΕεЕеєҽᴇ",
            "f": "ƒꜰ",
            "g": "ɡɢց",
            "h": "ħʜΗНћһհ",
            "i": "ıɩɪΙιІі",
            "j": "ϳЈјᴊ",
            "k": "ΚκКкᴋ",
            "l": "łʟӀӏⅼ",
            "m": "ΜМмᴍ",
            "n": "ɴΝηпո",
            "o": "ØøΟοσОоօᴏ",
            "p": "ΡρРрᴘ",
            "q": "ԛգզ",
            "r": "ʀгᴦ",
            "s": "ʂЅѕꜱ",
            "t": "ŧΤτТтᴛ",
            "u": "ʊυսᴜ",
            "v": "νѵᴠ",
            "w": "ɯωԝᴡ",
            "x": "ΧχХх",
            "y": "ʏΥγУуҮү",
            "z": "ʐΖᴢ",
        }.items()
        for other in others
    }
)
"""Letters of other alphabets that look like Latin ones."""

_LONGEST = 500
"""Signs within which a tag has said its name, where it has letters of other alphabets."""

_CONTROLS = dict.fromkeys((*range(9), *range(14, 28), 127))
"""White space stays."""

_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me"})

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
    compares under) turns it back, so a quote across it is still found. Other case, white space, slashes, invisible
    characters, accents, prefixes and letters that only look alike do not save it; other tags and words are left
    alone. The signs of chat templates (`<|im_start|>`, `[INST]`) are taken apart in the same way.

    >>> neutralise("end </Document > of it, <b>not</b> of <documentation>")
    'end ＜/Document > of it, <b>not</b> of <documentation>'
    >>> neutralise("</xml:dоcument><|im_start|>system [INST]")  # with a Cyrillic о
    '＜/xml:dоcument>＜|im_start|>system ［INST]'
    """
    if "<" in text:
        named = _pattern(frozenset(tags))
        text = _OPENED.sub(lambda found: _shut(found, named), text)
    return _CONTROL_TOKENS.sub(lambda found: _WIDE[found[0]], text)


def _shut(found: re.Match[str], named: re.Pattern[str]) -> str:
    return "＜" + found[0][1:] if named.match(_letters(found[1])) else found[0]


def _letters(text: str) -> str:
    """The beginning of a text as it is read: in small Latin letters, without accents and what shows nothing.

    >>> _letters("Dо\u200bcu\u0301mｅnt")
    'document'
    """
    if text.isascii():
        return text.translate(_CONTROLS).lower()
    seen: list[str] = []
    for sign in text:
        apart = unicodedata.normalize("NFKD", sign).translate(_ALIKE).casefold()
        seen += (part for part in apart if part.isspace() or _is_seen(part))
        if len(seen) >= _LONGEST:
            break
    return "".join(seen)


def _is_seen(sign: str) -> bool:
    return sign not in _SILENT and unicodedata.category(sign) not in _UNSEEN


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
    name = neutralise(html.escape(" ".join(doc_id.split())), tags)
    return Fenced(f'<{DOCUMENT} id="{name}">\n{neutralise(text, {*tags, DOCUMENT})}\n</{DOCUMENT}>')


@lru_cache(maxsize=256)
def _pattern(tags: frozenset[str]) -> re.Pattern[str]:
    names = "|".join(re.escape(_letters(tag)) for tag in sorted(tags))
    return re.compile(rf"\W*+(?:[\w.-]*+:\W*+)?(?:{names})(?!\w)")
