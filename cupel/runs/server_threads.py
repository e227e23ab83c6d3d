"""The threads `langgraph dev` keeps in a project's folder, read and thinned out without running anything in them."""

from __future__ import annotations

import io
import pickle
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from cupel.errors import UsageError
from cupel.files import write_whole
from cupel.text import find_traces

FOLDER = ".langgraph_api"
_OPS = ".langgraph_ops.pckl"
_STILL_S = 15.0
"""A running server writes its files every ten seconds."""

_PLAIN = {
    ("builtins", "dict"), ("builtins", "list"), ("builtins", "set"), ("builtins", "frozenset"), ("builtins", "bytes"),
    ("builtins", "bytearray"), ("builtins", "tuple"), ("builtins", "int"), ("_codecs", "encode"),
    ("collections", "defaultdict"), ("collections", "OrderedDict"), ("uuid", "UUID"),
    ("datetime", "datetime"), ("datetime", "date"), ("datetime", "timezone"), ("datetime", "timedelta"),
}  # fmt: skip


class _Name:
    """A function or class of the server's, known by name and never called."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module.replace("__builtin__", "builtins"), name) in _PLAIN:  # as protocol 2 writes it
            return super().find_class(module, name)
        return _Name(module, name)


class _Writer(pickle._Pickler):  # noqa: SLF001 - only the one written in Python lets a name be written as such
    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Name):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())  # type: ignore[attr-defined]
            return
        super().save(obj, save_persistent_id)  # type: ignore[misc]


def forget_threads(folder: Path, doc_ids: Iterable[str], texts: list[str], *, try_only: bool = False) -> int:
    """Remove every thread that had one of the documents or quotes one of the texts; returns how many.

    Raises:
        UsageError: If a server is running there, which would write its threads again, or a file cannot be read.
    """
    files = sorted((folder / FOLDER).glob("*.pckl")) if (folder / FOLDER).is_dir() else []
    if not files:
        return 0
    stores = {path: _read(path) for path in files}
    doomed = _find(stores, set(doc_ids), texts)
    if not doomed or try_only:
        return len(doomed)
    if time.time() - max(path.stat().st_mtime for path in files) < _STILL_S:
        raise UsageError(
            f"{folder / FOLDER}: a server is running here, or was until a moment ago, and {len(doomed)} of its threads "
            "hold documents to be forgotten; end it, wait a quarter of a minute and give the same command again"
        )
    for path, store in stores.items():
        thinned = {
            key: _without(value, doomed) for key, value in store.items() if _thread_of(key) not in doomed
        }
        if len(thinned) != len(store) or path.name == _OPS:
            _write(path, thinned)
    return len(doomed)


def _read(path: Path) -> dict[Any, Any]:
    try:
        with path.open("rb") as file:
            store = _Reader(file).load()
    except EOFError:
        return {}
    except Exception as error:
        raise UsageError(
            f"{path}: cannot be read ({type(error).__name__}: {error}), so nobody can say which documents it holds; "
            f"end the server and delete the folder {FOLDER} to forget all of its threads"
        ) from error
    return dict(store)


def _write(path: Path, store: dict[Any, Any]) -> None:
    written = io.BytesIO()
    _Writer(written, 2).dump(store)
    write_whole(path, written.getvalue())


def _find(stores: dict[Path, dict[Any, Any]], doc_ids: set[str], texts: list[str]) -> set[str]:
    """The threads' ids: by the documents' ids in their values and inputs, and by quotations anywhere in them."""
    named: set[str] = set()
    said: dict[str, list[str]] = {}
    for path, store in stores.items():
        for thread, value in _by_thread(path, store):
            strings = list(_strings(value))
            said.setdefault(thread, []).extend(text for _, text in strings)
            if any(key == "doc_id" and text in doc_ids for key, text in strings):
                named.add(thread)
    return named | find_traces(texts, {thread: "\n".join(parts) for thread, parts in said.items()})


def _by_thread(path: Path, store: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    if path.name == _OPS:
        for kind in ("threads", "runs"):
            yield from ((str(row["thread_id"]), row) for row in store.get(kind, ()))
        return
    yield from ((thread, value) for key, value in store.items() if (thread := _thread_of(key)))


def _thread_of(key: Any) -> str | None:
    """The thread an entry of a checkpoint's file belongs to: its key, or the first part of it."""
    first = key[0] if isinstance(key, tuple) and key else key
    return str(first) if isinstance(first, str) and len(first) == 36 else None


def _without(value: Any, doomed: set[str]) -> Any:
    """The server's lists of runs and threads without the doomed; anything else as it is."""
    if not isinstance(value, list):
        return value
    return [row for row in value if not (isinstance(row, dict) and str(row.get("thread_id")) in doomed)]


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value with the name it stands under."""
    waiting: list[tuple[str, Any]] = [(key, value)]
    while waiting:
        name, found = waiting.pop()
        if isinstance(found, str):
            yield name, found
        elif isinstance(found, bytes):
            with suppress(UnicodeDecodeError):
                yield name, found.decode("utf-8", "replace")
        elif isinstance(found, dict):
            waiting += [(str(inner), item) for inner, item in found.items()]
        elif isinstance(found, (list, tuple, set, frozenset)):
            waiting += [(name, item) for item in found]
