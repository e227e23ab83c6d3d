"""A list that an input gives, by which a record's values are named: paths of a tree, or plain terms."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache

STEP = " > "
"""Between the names of a path."""

_BULLETS = ("- ", "* ", "• ")


@lru_cache(maxsize=64)
def paths_of(given: str) -> Mapping[str, str]:
    r"""Every path of a tree, folded → as it is written; of a branch the branch itself too. Not to be changed.

    Args:
        given: A path a line (`Sport > Football`), or a name a line, each under the one it is indented below.

    >>> list(paths_of("Sport\n  Football\n  Golf\nArts > Music").values())
    ['Sport', 'Sport > Football', 'Sport > Golf', 'Arts', 'Arts > Music']
    """
    found: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in given.expandtabs(4).splitlines():
        name = _plain(line)
        if not name:
            continue
        depth = len(line) - len(line.lstrip())
        while above and above[-1][0] >= depth:
            above.pop()
        path = " ".join(above[-1][1].split()) + STEP if above else ""
        for step in (" ".join(part.split()) for part in name.split(">")):
            whole = f"{path}{step}"
            found.setdefault(fold(whole), whole)
            path = f"{whole}{STEP}"
        above.append((depth, whole))
    return found


@lru_cache(maxsize=64)
def values_of(given: str) -> Mapping[str, str]:
    r"""Every term of a list, folded → as it is written. Not to be changed.

    Args:
        given: One a line, or all on one line with semicolons or commas between; one line may be one term as well.

    >>> list(values_of("Health; Trade, and customs").values()), list(values_of("- Health\n- Trade, customs").values())
    (['Health', 'Trade, and customs', 'Health; Trade, and customs'], ['Health', 'Trade, customs'])
    """
    lines = given.splitlines()
    if len(lines) < 2:
        lines = [*given.split(";" if ";" in given else ","), given]
    named = [" ".join(_plain(line).split()) for line in lines]
    return {fold(name): name for name in dict.fromkeys(named) if name}


def fold(value: str) -> str:
    """A term as it is compared: case, spaces, also around the `>` of a path, and how an accent is written say nothing.

    >>> fold("Sport>  Football") == fold("sport > football")
    True
    """
    plain = unicodedata.normalize("NFC", value.casefold())
    return STEP.join(" ".join(part.split()) for part in plain.split(">"))


def nearest(value: str, known: Mapping[str, str]) -> str:
    """What may have been meant, in words; empty where nothing is near. A path is also found by its last name.

    >>> nearest("Footbal", {"sport > football": "Sport > Football"})
    "; did you mean 'Sport > Football'?"
    """
    by_end = {path.rpartition(STEP)[2]: path for path in reversed(list(known))}
    near = get_close_matches(fold(value), known, n=1) or [
        by_end[end] for end in get_close_matches(fold(value).rpartition(STEP)[2], by_end, n=1)
    ]
    return f"; did you mean {known[near[0]]!r}?" if near else ""


def _plain(line: str) -> str:
    line = line.strip()
    return line[2:].strip() if line.startswith(_BULLETS) else line
