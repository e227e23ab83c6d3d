"""What lets the command line start sooner; none of it happens in a process that is somebody else's.

Most of the time to the first request are imports, and some of what is imported is never used: the SDKs' types
of all their endpoints, since requests and replies pass them by (docs/decisions/0011), embeddings, a client of
LangGraph's server, a database that is not there, the fitting of what a run only applies, and httpx's own
command line, which brings a library for colouring source code.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from cupel._memo import collect_seldom

LATER = frozenset(
    {
        *("openai.types", "openai.types.chat", "openai.types.responses", "openai.types.shared"),
        *("openai.types.shared_params", "groq.types", "groq.types.chat", "langsmith.types"),
        *("langchain_openai", "langchain_openai.chat_models", "langgraph_sdk"),
        "sqlalchemy.dialects.postgresql",
    }
)
"""Packages whose own code runs when something in them is asked for; their submodules import as ever."""

_IMPORTS: Any = importlib._bootstrap  # noqa: SLF001  # the import system in Python itself
_lock_of, _DEADLOCK = _IMPORTS._ModuleLockManager, _IMPORTS._DeadlockError  # noqa: SLF001  # there is no public name
"""The lock the import system takes while it loads a module, and what it raises where two threads would wait for each other.

A lock of our own would be none of those it knows, and two threads that import across each other would wait for ever; so one
of them goes on with what is there already, as with any other package.
"""


@contextmanager
def starting_soon() -> Iterator[None]:
    """Import less inside, and look for garbage seldom: half a million objects are made, and none is garbage."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    # None is Python's word for "not to be imported": httpx then does without
    blocked = sys.modules.setdefault("httpx._main", None) is None  # type: ignore[arg-type]  # so typed, None allowed
    try:
        with collect_seldom():
            yield
    finally:
        sys.meta_path.remove(finder)
        if blocked and sys.modules.get("httpx._main", finder) is None:
            del sys.modules["httpx._main"]


class _Finder(MetaPathFinder):
    """Finds the packages of `LATER`, and puts off their loading."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in LATER:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _LaterLoader(spec.loader)
        return spec


class _LaterLoader(Loader):
    """Stands in for a package's loader until something in the package is asked for."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def exec_module(self, module: ModuleType) -> None:
        """Load nothing yet."""
        module.__class__ = _Later


class _Later(ModuleType):
    """A package that has not been loaded."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":  # the import system's own questions
            raise AttributeError(name)
        with (
            contextlib.suppress(_DEADLOCK),
            _lock_of(self.__name__),
        ):  # who asks meanwhile waits for the whole of it
            spec = self.__spec__
            if spec is not None and isinstance(spec.loader, _LaterLoader):
                spec.loader = spec.loader.loader
                spec.loader.exec_module(self)
                self.__class__ = ModuleType  # type: ignore[assignment]  # a module may
        return ModuleType.__getattribute__(self, name)
