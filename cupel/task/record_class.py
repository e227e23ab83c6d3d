"""A pydantic class that a record has to stand, beside the schema it makes: validated by it, and made an instance of it."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import sys
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

from cupel.errors import SettingError
from cupel.state import Record
from cupel.task.dialect import modern
from cupel.task.shape import Shape, shape_of

if TYPE_CHECKING:
    from pydantic import BaseModel


class RecordClass:
    """A class given as a schema.

    Args:
        model: A pydantic model.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self.model = model
        self.schema: dict[str, Any] = model.model_json_schema()

    @cached_property
    def _shape(self) -> Shape:
        return shape_of(modern(self.schema, path=self.model.__name__))

    def __call__(self, record: Record) -> str | None:
        """What the class says is wrong with a record, its types and validators, in its own words."""
        from pydantic import ValidationError

        try:
            self.instance(record)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = "/".join(map(str, first["loc"])) or "top level"
            return f"{self.model.__name__} refuses it at {where}: {first['msg'][:300]}"
        return None

    def instance(self, record: Record) -> BaseModel:
        """The record as an instance, validated.

        Raises:
            pydantic.ValidationError: For one the class refuses.
        """
        return self.model.model_validate(without_unsaid(record, self._shape))

    @cached_property
    def identity(self) -> str:
        """Changes with the code of the class and of those in it, as far as there is code to read: a validator decides."""
        told = [f"{kind.__module__}.{kind.__qualname__}\n{_source(kind)}" for kind in _classes(self.model)]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]

    def import_path(self) -> str:
        """`module:Class`, by which another process finds it.

        Raises:
            SettingError: For one that no other process can import: of a notebook, a script, or a function.
        """
        module, name = self.model.__module__, self.model.__qualname__
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if module in ("__main__", "__mp_main__") or found is not self.model:
            where = "the script or notebook itself" if module == "__main__" else "a function"
            raise SettingError(
                f"schema={name}: no worker can import this class, since it is defined in {where}; move it to a module that "
                f"workers have too, or give schema={name.rpartition('.')[2]}.model_json_schema() and do without its validators"
            )
        return f"{module}:{name}"


def import_class(path: str) -> RecordClass:
    """The class of an import path, here.

    Raises:
        SettingError: If it is not to be had; it says on what.
    """
    module, _, name = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise SettingError(
            f"a worker cannot import the schema's class {name} of {module} ({error}); install {module.partition('.')[0]} there"
        ) from error
    return RecordClass(found)


def without_unsaid(record: Any, shape: Shape) -> Any:
    """A record without the nulls that stand for a property left out, as the class that has a default wants it."""
    copy = json.loads(json.dumps(record))
    for part in shape.parts(copy):
        if isinstance(part.value, dict):
            # null stands for "left out" where a property is known, not required, and may not be null
            for name in [name for name, value in part.value.items() if value is None]:
                if shape.may_only_be_left_out(part.schemas, name):
                    del part.value[name]
    return copy


def _classes(model: type[BaseModel]) -> list[type[Any]]:
    """The class, those it comes from, and those its fields are of, each once."""
    from pydantic import BaseModel

    seen: dict[type[Any], None] = {}
    waiting: list[type[Any]] = [model]
    while waiting:
        kind = waiting.pop()
        if kind in seen:
            continue
        seen[kind] = None
        waiting += [
            base for base in kind.__mro__[1:] if issubclass(base, BaseModel) and base is not BaseModel
        ]
        for field in kind.model_fields.values():
            waiting += [each for each in _types_in(field.annotation) if issubclass(each, BaseModel)]
    return list(seen)


def _types_in(annotation: Any) -> Iterator[type[Any]]:
    inner = get_args(annotation)
    if not inner and isinstance(annotation, type):
        yield annotation
    for each in inner:
        yield from _types_in(each)


def _source(kind: type[Any]) -> str:
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        return ""
