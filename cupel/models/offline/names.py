"""Names in a text, runs of capitals, and what kind of name each is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cupel.models.offline.sentences import Span
from cupel.models.offline.similarity import COMMON_WORDS

_KINDS = (
    ("PER", ("PER", "PEOPLE", "SPEAKER")),
    ("ORG", ("ORG", "INSTITUTION")),
    ("LOC", ("LOC", "PLACE", "GPE", "COUNTR", "CITIES")),
    ("LAW", ("LAW", "LEGAL", "TREAT")),
    ("MISC", ("MISC", "OTHER")),
)
_TITLE_WORDS = """
mr mrs ms madam sir dr president vice-president commissioner minister rapporteur chancellor
"""
_TITLES = frozenset(_TITLE_WORDS.split())
_ORG = re.compile(
    r"\b(?:Commission|Council|Parliament|Union|Group|Committee|Court|Bank|House|Agency|Party|Government|Presidency"
    r"|Office|Forces|Organi[sz]ation|University|Ombudsman|Association|Authority|Nations)\b|^[A-Z&]{2,6}$"
)
_LAW = re.compile(
    r"\b(?:Treaty|Treaties|Directive|Regulation|Act|Charter|Convention|Agreement|Pact|Protocol|Programme|Fund"
    r"|Facility|Article|Rule|Omnibus|Deal|Plan|Framework|Strategy)\b"
)
_NATIONALITY = re.compile(r"(?:[a-z](?:ish|ese|ians?|eans?)|French|Dutch|German|Greeks?|Arabs?|Irish)$")
_PLACE_NAMES = """
europe africa asia america austria belgium bulgaria croatia cyprus czechia denmark estonia finland france
germany greece hungary ireland italy latvia lithuania luxembourg malta netherlands poland portugal romania
slovakia slovenia spain sweden ukraine russia moldova turkey serbia kosovo georgia armenia azerbaijan syria
israel gaza palestine iran iraq lebanon egypt china india japan taiwan canada mexico brazil britain brussels
strasbourg kyiv moscow washington paris berlin london rome vienna norway switzerland iceland albania
"""
_PLACES = frozenset(_PLACE_NAMES.split())
_JOINS = frozenset((" ", " of ", " of the ", " for ", " de ", " van ", " von "))


@dataclass(frozen=True, slots=True)
class Name:
    """A name and its kind: PER, ORG, LOC, LAW or MISC."""

    start: int
    text: str
    kind: str


def names(text: str, spans: Sequence[Span]) -> list[Name]:
    """Every name in the text, in order; `spans` are its sentences."""
    lower = set(re.findall(r"\b[a-zß-ÿ]+\b", text))
    begins = {start for start, _ in spans}
    runs: list[list[re.Match[str]]] = []
    for word in re.finditer(r"[^\W_]+(?:[-‑’'][^\W_]+)*", text):
        # "I've" is no name either
        if not word[0][0].isupper() or re.split("['’]", word[0].lower())[0] in COMMON_WORDS:
            continue
        if word.start() in begins and word[0].lower() in lower:
            continue
        if runs and text[runs[-1][-1].end() : word.start()] in _JOINS:
            runs[-1].append(word)
        else:
            runs.append([word])
    return [name for run in runs if (name := _name(text, run)) is not None]


def _name(text: str, run: list[re.Match[str]]) -> Name | None:
    titled = False
    while run and run[0][0].lower() in _TITLES:
        run, titled = run[1:], True
    if not run:
        return None
    start = run[0].start()
    name = re.sub(r"['’]s$", "", text[start : run[-1].end()])
    titled = titled or bool(re.search(r"\b(?:Mr|Mrs|Ms|Dr|Madam)\.? $", text[max(0, start - 6) : start]))
    return Name(start, name, _kind(name, titled=titled))


def _kind(name: str, *, titled: bool) -> str:
    if titled:
        return "PER"
    if name.lower() in _PLACES:
        return "LOC"
    for kind, pattern in (("LAW", _LAW), ("ORG", _ORG), ("MISC", _NATIONALITY)):
        if pattern.search(name):
            return kind
    return {1: "LOC", 2: "PER"}.get(len(name.split()), "ORG")


def label_kinds(labels: Sequence[str]) -> dict[str, str]:
    """Kind of name → the label that stands for it.

    >>> label_kinds(["person", "place", "other"])
    {'PER': 'person', 'LOC': 'place', 'MISC': 'other'}
    """
    label_of: dict[str, str] = {}
    for label in labels:
        kind = next((kind for kind, starts in _KINDS if label.upper().startswith(starts)), None)
        if kind:
            label_of.setdefault(kind, label)
    return label_of
