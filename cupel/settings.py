"""Settings from their three places: the options given, `CUPEL_*` variables, and the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from cupel.context import RunContext
from cupel.errors import SettingError


def run_context(options: Mapping[str, Any], env: Mapping[str, str]) -> RunContext:
    """The context of a run: an option beats its `CUPEL_…` variable, which beats the default.

    Options that are None count as not given.

    Raises:
        SettingError: For an unknown or impossible setting, naming where it came from and what is valid.

    >>> run_context({"judge": None, "max_refinements": 1}, {"CUPEL_JUDGE": "never"}).judge
    'never'
    """
    fields = RunContext.model_fields
    unknown = [name for name in options if name not in fields]
    if unknown:
        near = get_close_matches(unknown[0], fields, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise SettingError(f"unknown setting {unknown[0]!r}{hint} (settings: {', '.join(fields)})")
    given = {name: value for name, value in options.items() if value is not None}
    from_env = {name: env[_variable(name)] for name in fields if env.get(_variable(name), "").strip()}
    try:
        return RunContext(**{**from_env, **given})
    except ValidationError as error:
        raise SettingError(_explained(error, given)) from error


def _variable(name: str) -> str:
    return f"CUPEL_{name.upper()}"


def _explained(error: ValidationError, given: Mapping[str, Any]) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "settings"
    source = name if name in given else _variable(name)
    return f"{source}={first.get('input')!r}: {first['msg']}. {_description(name)}"


def _description(name: str) -> str:
    field = RunContext.model_fields.get(name)
    return (field.description or "") if field else ""
