"""Limits a person sets in one line: `groq:*=rpm:30,tpm:6000; openai:gpt-4o-mini=rpd:10000`."""

from __future__ import annotations

from collections.abc import Mapping

from cupel.errors import SettingError
from cupel.limits.buckets import Limits

VARIABLE = "CUPEL_LIMITS"
_FORM = "`MODEL=rpm:30,tpm:6000; …`, MODEL being `provider:model`, `provider:*` or `*`"


def read_limits(text: str) -> dict[str, Limits]:
    """Limits by model id, by provider, or for all (`*`), as `Limiter` takes them.

    Raises:
        SettingError: For a line that cannot be read, an unknown limit, or one that is 0, negative or no number.

    >>> read_limits("groq:*=rpm:30,tpm:6000")["groq"]
    Limits(rpm=30.0, tpm=6000.0, rpd=None, tpd=None, concurrency=None)
    """
    entries = [part.strip() for part in text.split(";") if part.strip()]
    return dict(_entry(entry) for entry in entries)


def closest_limits(limits: Mapping[str, Limits], model_id: str) -> Limits:
    """What is allowed one model: by its id, else by its provider, else for all; nothing set where none is named."""
    names = (model_id, model_id.partition(":")[0], "*")
    return next((limits[name] for name in names if name in limits), Limits())


def _entry(entry: str) -> tuple[str, Limits]:
    name, separator, words = entry.rpartition("=")
    name = name.strip().removesuffix(":*")
    if not separator or not name:
        raise SettingError(f"{VARIABLE} or --limits: {entry!r} is not {_FORM}")
    return name, Limits.of(dict(_limit(part, entry) for part in words.split(",")), model=name)


def _limit(part: str, entry: str) -> tuple[str, float]:
    kind, _, amount = part.partition(":")
    try:
        return kind.strip(), float(amount)
    except ValueError:
        raise SettingError(f"{VARIABLE} or --limits: {part.strip()!r} in {entry!r} is not {_FORM}") from None
