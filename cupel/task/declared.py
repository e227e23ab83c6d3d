"""What a task declares for code to do, held against its schema and inputs before anything is paid."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from cupel.errors import TaskError
from cupel.task.computed import check_computed, field_at
from cupel.task.field import Field
from cupel.task.node import COMPUTED, MARKS, strange_marks
from cupel.task.spec import ANSWER, GENERIC, TaskSpec

_LEAST_OF_MARK = len("x-refer")
"""Characters from which the beginning of a mark is taken for it; `x-ref` is a keyword of others."""


def check_declared(spec: TaskSpec, schema: Path | str, toml: Path) -> None:
    """Refuse a mark there is not, a computed field that could not be computed, and a check that could not be made.

    Args:
        spec: The task.
        schema: Its schema's file, for messages.
        toml: Its settings' file.

    Raises:
        TaskError: For the first; it names the file, the field, and what to write.
    """
    _check_marks(spec, schema)
    check_computed(spec.schema, spec.inputs, path=schema)
    for name in (*spec.must_fill, *spec.merge, spec.metric):
        if (place := spec.fields.get(name)) is not None and place.mark(COMPUTED) is not None:
            raise TaskError(
                f"{name!r} is x-computed, so code fills it in once the record is whole; take it out of must_fill, merge and metric",
                path=toml,
            )
    if spec.asks_back is not None and ANSWER not in spec.prompts:
        raise TaskError(
            f"{spec.asks_back.path!r} is filled in by asking, and there is no {ANSWER}.md to ask by, here or in {GENERIC}; copy "
            "the one that Cupel comes with",
            path=toml,
        )
    checks = spec.checks
    for path in checks.iso:
        _check_texts("iso", path, spec, toml)
    for check, named in (("paths", checks.paths), ("values", checks.values)):
        for path, name in named.items():
            _check_texts(check, path, spec, toml)
            _check_input(check, name, spec, toml)
    for path in checks.cover:
        _check_cover(path, spec, toml)
    for path, other in checks.digits.items():
        _check_texts("digits", path, spec, toml)
        _check_texts("digits", other, spec, toml)
        if path.rpartition("/")[0] != other.rpartition("/")[0]:
            raise TaskError(
                f"[checks] digits: {other!r} does not stand beside {path!r}; name one of the same items",
                path=toml,
            )


def _check_marks(spec: TaskSpec, path: Path | str) -> None:
    """A folder's schema is written for Cupel; one given for once may carry keywords of others, and only a slip is refused."""
    for mark, where in strange_marks(spec.schema):
        near = get_close_matches(mark, MARKS, n=1)
        if spec.given is None or _is_slip(mark):
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TaskError(
                f"unknown mark {mark!r} at {where or 'the top'}{hint} (marks: {', '.join(MARKS)})", path=path
            )


def _is_slip(mark: str) -> bool:
    """Whether it is so near to a mark of ours that it was meant for it: `x-ground`, and not `x-kind` for `x-id`."""
    begins = len(mark) >= _LEAST_OF_MARK and any(each.startswith(mark) for each in MARKS)
    return begins or bool(get_close_matches(mark, MARKS, n=1, cutoff=0.9))


def _check_texts(check: str, path: str, spec: TaskSpec, toml: Path) -> Field:
    place = _field(check, path, spec, toml)
    texts = place.item() if place.kind == "array" else place
    if texts.kind not in ("string", ""):
        raise TaskError(
            f"[checks] {check}: {path!r} is {texts.kind}, not a text; name a field of text", path=toml
        )
    return texts


def _field(check: str, path: str, spec: TaskSpec, toml: Path) -> Field:
    place = field_at(spec.schema, path)
    if place is None:
        raise TaskError(
            f"[checks] {check}: no field {path!r} is in schema.json; write the names that lead there, such as "
            f"{'/'.join(_first_path(spec))!r}",
            path=toml,
        )
    if place.mark(COMPUTED) is not None:
        raise TaskError(
            f"[checks] {check}: {path!r} is x-computed, and right as code makes it; take it out", path=toml
        )
    return place


def _first_path(spec: TaskSpec) -> tuple[str, ...]:
    name, place = next(iter(spec.fields.items()))
    inner = next(iter(place.item().fields), "") if place.kind == "array" else ""
    return (name, inner) if inner else (name,)


def _check_input(check: str, name: str, spec: TaskSpec, toml: Path) -> None:
    if name not in spec.inputs:
        known = ", ".join(spec.inputs) or "none"
        raise TaskError(
            f"[checks] {check}: {name!r} is no input of the task (inputs: {known}); add it to inputs or optional_inputs",
            path=toml,
        )


def _check_cover(path: str, spec: TaskSpec, toml: Path) -> None:
    above, _, _ = path.rpartition("/")
    place, items = _field("cover", path, spec, toml), spec.fields.get(above)
    if items is None or items.kind != "array" or not place.mark("x-grounded"):
        raise TaskError(
            f"[checks] cover: {path!r} is no quote in the items of a list at the record's top; mark it x-grounded, and "
            "name it as list/field",
            path=toml,
        )
    if spec.window.overlap_chars:
        raise TaskError(
            f"[checks] cover: windows that share {spec.window.overlap_chars} characters give {above!r} in no one order; write "
            "overlap_chars = 0 in [window]",
            path=toml,
        )
