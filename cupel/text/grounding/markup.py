"""HTML and Markdown that only format: what a reader of the page would not see."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from html import unescape

import regex

Edit = tuple[int, int, str]
"""The stretch `[start, end)` and what is put in its place."""

MARKS = "<>*_~\\"
"""One of these, or `](`, or an entity, is in every text with markup."""

STRUCK = "\ufffc"
"""In place of what is struck out: no token of any quote."""

# a tag's name and what it reads as
_TAGS = {
    **dict.fromkeys(
        [
            "a",
            "abbr",
            "acronym",
            "b",
            "bdi",
            "bdo",
            "big",
            "cite",
            "code",
            "dfn",
            "em",
            "font",
            "i",
            "ins",
            "kbd",
            "label",
            "mark",
            "nobr",
            "samp",
            "small",
            "span",
            "strong",
            "time",
            "tt",
            "u",
            "var",
            "wbr",
        ],
        "",
    ),
    "q": '"',
    **dict.fromkeys(
        [
            "address",
            "article",
            "aside",
            "blockquote",
            "body",
            "br",
            "caption",
            "center",
            "dd",
            "details",
            "div",
            "dl",
            "dt",
            "figcaption",
            "figure",
            "footer",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "head",
            "header",
            "hr",
            "html",
            "legend",
            "li",
            "main",
            "nav",
            "ol",
            "p",
            "pre",
            "section",
            "summary",
            "table",
            "tbody",
            "tfoot",
            "thead",
            "tr",
            "ul",
        ],
        "\n",
    ),
    **dict.fromkeys(["td", "th"], " "),
}
_STRIKING = frozenset(["del", "s", "strike"])
_RAISING = frozenset(["sup", "sub"])
_RAISED = regex.compile(r"[\p{L}\p{N}]{1,8}+(?=</su[bp]>(?![\p{L}\p{N}]))")

_ADDRESS = r"""<?+(?: [a-zA-Z][a-zA-Z0-9+.\-]*+: | /{1,2} | \.{1,2}/ | \# | \? | [\w\-]++(?:\.[\w\-]++)*+(?:/|\.[a-zA-Z]{2,}))
    (?: [^\s()\[\]<>]++ | \([^\s()\[\]<>]*+\) )*+ >?+"""
# every alternative is possessive and stops before what another one may begin with, so that time is linear
_MARK = regex.compile(
    rf"""(?V1)
      (?P<entity> &(?:\#[0-9]{{1,7}}|\#[xX][0-9a-fA-F]{{1,6}}|[a-zA-Z][a-zA-Z0-9]{{1,31}}); )
    | < (?P<close>/)? (?P<tag>[a-zA-Z][a-zA-Z0-9]{{0,9}}+)
        (?P<attributes> (?: \s++ (?: [a-zA-Z_:@][\w:.\-]*+ \s*+ = \s*+ (?: "[^"<]*+" | '[^'<]*+' | [^\s"'=<>`]++ )
                        | (?:hidden|nowrap|noshade|compact|open|reversed)\b ) )*+ ) \s*+ /?+ >
    | (?P<escape> \\ (?: [\\`*_{{}}\[\]()\#+\-.!>~|$%&^"'<] | (?=\r?\n) ) )
    | (?P<run> \*++ | _++ )
    | (?P<strike> (?<!~)~~(?!~) )
    | (?P<link> \]\( [ \t]*+ {_ADDRESS} (?: \s++ (?: "[^"\n\[\]]*+" | '[^'\n\[\]]*+' ) )?+ [ \t]*+ \) )
    | (?P<open> \[ )
    | (?P<shut> \] )
    | (?P<lines> (?<=(?:^|\n)[ \t]{{0,9}}) (?:>[ \t]?+)++ )
    | (?P<blank> \n )
    """,
    regex.VERBOSE,
)
# a sixth of a second; a page has thousands. What comes after them reads as it is written
_MOST_MARKS = 20_000
_ENTITY = re.compile(r"&[#\w]+;")
_FIRST = re.compile(r"[&<\\*_~\[\]>]|\n(?=[ \t]*\r?\n)")
_SPACES = " \t\u00a0\u2009\u202f"
_NEAR = 4  # characters that two numbers may lie apart and still be read as one


def find_markup(text: str, *, is_quote: bool) -> list[Edit]:
    """What to change in a text so that it reads as its page does, in order, without overlaps.

    Args:
        text: The text as given.
        is_quote: Leave what is struck out as it is written, in place of `STRUCK`.

    >>> find_markup("so <b>we</b> &lt; _they_", is_quote=False)
    [(3, 6, ''), (8, 12, ''), (13, 17, '<'), (18, 19, ''), (23, 24, '')]
    """
    if not (
        any(mark in text for mark in MARKS)
        or ("]" in text and "](" in text)
        or ("&" in text and _ENTITY.search(text))
    ):
        return []
    scan = _Scan(text)
    edits = _merge(sorted(scan.edits), [] if is_quote else sorted(scan.struck))
    return list(_keep_numbers_apart(text, edits))


class _Scan:
    """One walk over a text: single marks become edits as they come, pairs once their second half is there.

    Args:
        text: The text as given.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self.edits: list[Edit] = []
        self.struck: list[Edit] = []
        self._brackets: list[tuple[int, int, bool]] = []
        self._runs: defaultdict[str, list[int]] = defaultdict(list)
        self._striking: dict[str, int] = {}
        self._closed: dict[str, bool] = {}
        for mark in _find_marks(text):
            kind = mark.lastgroup
            if mark["tag"]:
                self._read_tag(mark)
            elif kind == "entity":
                self._read_entity(mark)
            elif kind == "escape":
                self._put(mark, mark.group()[1:])
            elif kind == "run":
                self._read_run(mark)
            elif kind == "strike":
                self._strike("~~", *mark.span(), is_end="~~" in self._striking)
            elif kind == "lines":
                self._read_line_start(mark)
            elif kind == "blank":
                self._runs.clear()
                self._brackets.clear()
                self._striking.pop("~~", None)
            else:
                self._read_bracket(mark)

    def _put(self, mark: regex.Match[str], put: str) -> None:
        self.edits.append((*mark.span(), put))

    def _around(self, start: int, end: int) -> tuple[str, str]:
        return self._text[start - 1 : start] if start else " ", self._text[end : end + 1] or " "

    def _read_entity(self, mark: regex.Match[str]) -> None:
        meant = unescape(mark.group())
        if meant != mark.group():
            self._put(mark, meant)

    def _read_tag(self, mark: regex.Match[str]) -> None:
        name = mark["tag"].lower()
        if name in _STRIKING:
            self._strike(name, *mark.span(), is_end=bool(mark["close"]))
        elif name in _RAISING:
            self._read_raised(mark)
        elif name in _TAGS and (mark["close"] or mark["attributes"] or len(name) > 1 or self._has_end(name)):
            self._put(mark, _TAGS[name])

    def _has_end(self, name: str) -> bool:
        """Whether `<b>` is a tag rather than part of "a<b>c": it is closed somewhere."""
        if name not in self._closed:
            self._closed[name] = (
                name == "p" or f"</{name}>" in self._text or f"</{name.upper()}>" in self._text
            )
        return self._closed[name]

    def _read_raised(self, mark: regex.Match[str]) -> None:
        """m<sup>2</sup> is m², the 2<sup>nd</sup> the 2nd; 10<sup>2</sup> is 10^2 and no number of three digits."""
        raised = None if mark["close"] else _RAISED.match(self._text, mark.end())
        if raised is None:
            return
        before, inside = self._around(*mark.span())[0], raised.group()
        is_power = before.isnumeric() and not inside.isalpha()
        if is_power and mark["tag"].lower() == "sub":
            return
        self._put(mark, "^" if is_power else "")
        self.edits.append((raised.end(), raised.end() + len("</sup>"), ""))

    def _read_run(self, mark: regex.Match[str]) -> None:
        """Emphasis opens before and closes after what it stresses; inside a word only asterisks do."""
        run, (start, end) = mark.group(), mark.span()
        before, after = self._around(start, end)
        if len(run) > 3 or (before.isdigit() and after.isalnum()):
            return
        may_join = run[0] == "*" and before.isalpha() and after.isalpha()
        opened = self._runs[run]
        if not before.isspace() and (may_join or not after.isalnum()) and opened:
            first = opened.pop()
            if not may_join or start - first > len(run) + 1:
                self.edits += [(first, first + len(run), ""), (start, end, "")]
        elif not after.isspace() and (may_join or not before.isalnum()):
            opened.append(start)

    def _read_bracket(self, mark: regex.Match[str]) -> None:
        if mark.lastgroup == "open":
            is_image = self._around(*mark.span())[0] == "!"
            self._brackets.append((*mark.span(), not is_image))
        elif self._brackets:
            start, end, is_link = self._brackets.pop()
            if mark.lastgroup == "link" and is_link and mark.start() > end:
                self.edits += [(start, end, ""), (*mark.span(), "")]

    def _read_line_start(self, mark: regex.Match[str]) -> None:
        """A sign before a number may say "more than", unless a line beside it begins so too."""
        start, end = mark.span()
        if self._text[end : end + _NEAR].lstrip(_SPACES)[:1].isnumeric():
            before = self._text.rfind("\n", 0, max(0, start - 1)) + 1
            after = self._text.find("\n", end) + 1
            beside = [self._text[before : before + 9], self._text[after : after + 9] if after else ""]
            if not (start and beside[0].lstrip(" \t").startswith(">")) and not beside[1].lstrip(
                " \t"
            ).startswith(">"):
                return
        self._put(mark, "")

    def _strike(self, kind: str, start: int, end: int, *, is_end: bool) -> None:
        if not is_end:
            self._striking.setdefault(kind, start)
        elif kind in self._striking:
            self.struck.append((self._striking.pop(kind), end, STRUCK))


def _find_marks(text: str) -> Iterator[regex.Match[str]]:
    """The marks of a text in order. Most texts have few: to look for their first characters alone is faster."""
    done = count = 0
    for first in _FIRST.finditer(text):
        mark = _MARK.match(text, first.start()) if first.start() >= done else None
        if mark is not None:
            done = mark.end()
            yield mark
            count += 1
            if count == _MOST_MARKS:
                return


def _merge(edits: Iterable[Edit], struck: Iterable[Edit]) -> list[Edit]:
    """Both in order; what lies inside or across something struck out, or another edit, goes."""
    merged: list[Edit] = []
    for edit in sorted([*edits, *struck], key=lambda edit: (edit[0], edit[2] != STRUCK)):
        if not merged or edit[0] >= merged[-1][1]:
            merged.append(edit)
        elif edit[2] == STRUCK:
            start = merged[-1][0]
            merged[-1] = (start, max(edit[1], merged[-1][1]), STRUCK)
    return merged


def _keep_numbers_apart(text: str, edits: Sequence[Edit]) -> Iterator[Edit]:
    """Without those that would let two numbers touch: 12<b>3</b>, 12[3](…), 12<b>&#51;</b>."""
    first = 0
    while first < len(edits):
        stop = first + 1
        if not edits[first][2].strip():
            while (
                stop < len(edits)
                and not edits[stop][2].strip()
                and _is_gap(text, edits[stop - 1], edits[stop])
            ):
                stop += 1
        group = edits[first:stop]
        if any(put.strip(" ") for _, _, put in group) or not (
            _before(text, edits, first)[-1:].isnumeric() and _after(text, edits, stop)[:1].isnumeric()
        ):
            yield from group
        first = stop


def _is_gap(text: str, edit: Edit, following: Edit) -> bool:
    """Whether only spaces lie between two edits."""
    return following[0] - edit[1] <= _NEAR and not text[edit[1] : following[0]].strip(_SPACES)


def _before(text: str, edits: Sequence[Edit], place: int) -> str:
    """What is read before an edit, spaces apart."""
    if place and _is_gap(text, edits[place - 1], edits[place]):
        return edits[place - 1][2]
    start = edits[place][0]
    return text[max(0, start - _NEAR) : start].rstrip(_SPACES)


def _after(text: str, edits: Sequence[Edit], place: int) -> str:
    """What is read after the edit before this one, spaces apart."""
    if place < len(edits) and _is_gap(text, edits[place - 1], edits[place]):
        return edits[place][2]
    end = edits[place - 1][1]
    return text[end : end + _NEAR].lstrip(_SPACES)
