"""What the prompt teaches: definitions of labels, and texts that stand for a label in the examples."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cupel.models.offline.schema import is_quote_name

_GROUP = re.compile(r"(?:^([\w-]+):\n|(?<=\n\n))((?:- [^:\n]+: .+\n?)+)", re.MULTILINE)
_LABEL = re.compile(r"^- ([^:\n]+): (.+)$", re.MULTILINE)
_EXAMPLE = re.compile(r"^Text: ((?:(?!\nText: ).)*?)\nRecord: (\{[^\n]*\})$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Teaching:
    """Definitions by group and label; exemplary texts by field and label (lists: `("", list)`)."""

    definitions: Mapping[str, Mapping[str, str]]
    exemplars: Mapping[tuple[str, str], tuple[str, ...]]

    def about(self, field: str, label: str) -> str:
        """All that is said of a label of a field; of the list called `label` where `field` is empty."""
        groups = [self.definitions.get(field, {})] if field else list(self.definitions.values())
        defined = next((group[label] for group in groups if label in group), "")
        return " ".join((label.replace("_", " "), defined, *self.exemplars.get((field, label), ())))

    def defines(self, name: str) -> bool:
        """Whether a list of this name is defined among the labels, as `claims` may be."""
        return any(name in group for group in self.definitions.values())


@functools.lru_cache(maxsize=32)
def read_examples(system: str) -> Teaching:
    r"""Read definitions (`- label: …` under a line `field:`, of lists after an empty one) and examples (`Text: …`, `Record: {…}`).

    >>> read_examples("kind:\n- fact: can be checked\n").about("kind", "fact")
    'fact can be checked'
    """
    definitions = {name: dict(_LABEL.findall(body)) for name, body in _GROUP.findall(system)}
    exemplars: dict[tuple[str, str], list[str]] = {}
    for text, written in _EXAMPLE.findall(system):
        for key, exemplar in _exemplars(written, text):
            exemplars.setdefault(key, []).append(exemplar)
    return Teaching(definitions, {key: tuple(texts) for key, texts in exemplars.items()})


def _exemplars(written: str, text: str) -> Iterator[tuple[tuple[str, str], str]]:
    try:
        record = json.loads(written)
    except json.JSONDecodeError:
        return
    for name, value in record.items():
        if isinstance(value, str):
            yield (name, value), text
        for item in value if isinstance(value, list) else ():
            yield from _of_item(name, item) if isinstance(item, dict) else ()


def _of_item(name: str, item: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    quote = next((str(value) for key, value in item.items() if is_quote_name(key)), "")
    yield ("", name), quote
    yield from (
        ((key, value), quote) for key, value in item.items() if isinstance(value, str) and value != quote
    )
