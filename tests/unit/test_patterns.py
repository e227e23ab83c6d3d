"""No pattern of ours is slow on any text: texts come from outside, and a slow one would hold a whole run."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import signal
from pathlib import Path

import pytest
import regex

import cupel
import nodes
from cupel.tracing.tracer import PERSONAL
from tests.unit.pumps import hostile_texts

SIZE = 6_000
MAX_CPU_S = 0.08
"""Linear patterns take a hundredth of it; one that grows with the square takes several times as much, and is stopped."""

_FLAGS = {"0": 0, "re.MULTILINE": re.MULTILINE, "re.DOTALL": re.DOTALL}
OFTEN = ("findall", "finditer", "search", "split", "sub")
OTHERS = ("match", "fullmatch")


def modules():
    """Every module of the library and the nodes."""
    for package in (cupel, nodes):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__") and ".migrations" not in found.name:
                yield importlib.import_module(found.name)


def held(value, depth=0):
    """Compiled patterns in a module's value, each with how it is used where that is known."""
    if isinstance(value, re.Pattern | regex.Pattern):
        yield value, "finditer"
    elif isinstance(getattr(value, "__self__", None), re.Pattern | regex.Pattern):
        yield value.__self__, value.__name__
    elif depth < 4:
        inside = (
            value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
        )
        cells = getattr(value, "__closure__", None) or ()
        for each in [*inside, *(cell.cell_contents for cell in cells)]:
            yield from held(each, depth + 1)


def written(module):
    """Patterns in calls such as `re.sub(r"…", …)`."""
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        called = node.func if isinstance(node, ast.Call) else None
        if not isinstance(called, ast.Attribute) or ast.unparse(called.value) != "re":
            continue
        if called.attr in (*OFTEN, *OTHERS) and isinstance(node.args[0], ast.Constant):
            flags = next((ast.unparse(word.value) for word in node.keywords if word.arg == "flags"), "0")
            yield re.compile(node.args[0].value, _FLAGS[flags]), called.attr


def all_patterns():
    """Every pattern of the package by its text, with a name and how it is used."""
    found = {}
    for module in modules():
        of_module = [each for value in list(vars(module).values()) for each in held(value)]
        for pattern, use in (*of_module, *written(module)):
            found.setdefault((pattern.pattern, pattern.flags, use), (module.__name__, pattern, use))
    for pattern, shown in PERSONAL:
        found[pattern, 0, "sub"] = (f"cupel.tracing {shown}", re.compile(pattern), "sub")
    return list(found.values())


PATTERNS = all_patterns()


def test_patterns_are_found():
    """There are about a hundred; a test that finds none would prove nothing."""
    assert len(PATTERNS) > 100


def stop(*_):
    """Stop a search that takes too long: the module looks for signals now and then."""
    raise TimeoutError


@pytest.fixture
def limited():
    """Arms a timer of CPU time."""
    before = signal.signal(signal.SIGVTALRM, stop)
    yield lambda seconds: signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


def search(pattern, use, text):
    """All matches, as far as the pattern is used so."""
    if use in OTHERS:
        getattr(pattern, use)(text)
    else:
        for _ in pattern.finditer(text):
            pass


def test_no_pattern_is_slow_on_any_text(limited):
    """Texts made from the pattern itself; a square would be seen at six thousand characters."""
    slow = []
    for where, pattern, use in PATTERNS:
        is_text = isinstance(pattern.pattern, str)
        source = pattern.pattern if is_text else pattern.pattern.decode()
        for text in hostile_texts(source, int(pattern.flags) & ~re.DEBUG if is_text else 0, SIZE):
            try:
                limited(MAX_CPU_S)
                search(pattern, use, text if is_text else text.encode())
                limited(0)
            except TimeoutError:  # also where it fires as the search has just ended
                slow.append(f"{where}: {source[:60]!r} on {text[:20]!r}…")
                break

    assert slow == []


@pytest.mark.parametrize("source", [r"(a+)+$", r"(?:^|\n\s*)\s*x", r"[\w.+-]+@[\w-]+\.[\w.-]+", r"(\w|\d)+!"])
def test_a_slow_pattern_is_seen(limited, source):
    """The texts find the classic ones: nested repeats, repeats side by side, and a search from every place."""

    def search_all():
        for text in hostile_texts(source, 0, SIZE):
            limited(MAX_CPU_S)
            search(re.compile(source), "finditer", text)

    with pytest.raises(TimeoutError):
        search_all()
