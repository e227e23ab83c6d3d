"""A package's face whose heavier names are imported when they are first asked for."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def late(package: str) -> Callable[[str], Any]:
    """The `__getattr__` of a face (PEP 562): what stands under its `if TYPE_CHECKING` is imported at first use.

    A face names everything others may use, but `cupel --help` needs no numpy and a first request no calibration. The
    names stand once: type checkers read them there, and so does this, from the package's own source.
    """

    def find(name: str) -> Any:
        module = _late_names(package).get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(module), name)
        setattr(sys.modules[package], name, value)
        return value

    return find


@cache
def _late_names(package: str) -> dict[str, str]:
    """Each late name with the module that has it."""
    spec = find_spec(package)
    source = getattr(spec.loader, "get_source", lambda _: None)(package) if spec else None
    blocks = [node for node in ast.parse(source or "").body if isinstance(node, ast.If)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module for node in imports for alias in node.names if node.module}
