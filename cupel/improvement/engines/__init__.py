"""What proposes edits of a prompt: engines behind one Protocol, all of them only nominating.

`reflect` asks once and is the default; `gepa` searches, behind our own guards, and needs an extra.
"""

from collections.abc import Callable, Mapping

from cupel.errors import UsageError
from cupel.improvement.engines.base import Brief, Engine
from cupel.improvement.engines.gepa import Gepa, check_gepa
from cupel.improvement.engines.reflect import Reflect

ENGINES: Mapping[str, Callable[[], Engine]] = {"reflect": Reflect, "gepa": Gepa}
"""Engines by name."""


def engine_named(name: str) -> Engine:
    """An engine by its name.

    Raises:
        UsageError: For an unknown name, or an engine whose extra is not installed, naming what to install.
    """
    if name not in ENGINES:
        raise UsageError(f"no engine {name!r}; there are {', '.join(ENGINES)}")
    if name == "gepa":
        check_gepa()
    return ENGINES[name]()
