"""Write docs/tasks.md from the task folders: `.venv/bin/python docs/reference/tasks.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from cupel.api import ListedTask, list_tasks
from cupel.project import Project
from cupel.task import GROUPS, UNMEASURED, Card, Field, TaskSpec, computed_fields, read_card

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tasks.md"
COMMAND = "`.venv/bin/python docs/reference/tasks.py`"
HEAD = """# Tasks

What can be taken from a document, one folder of [prompts/](../prompts) each. `cupel run FILE --task NAME` does it, `cupel.enrich(df, NAME)` too;
`cupel tasks` lists the same, `cupel tasks NAME` one. Besides the columns below a table gets the record, its status, confidence, model, cost and reasons; its rows (`--tidy`,
`cupel.tidy`) say where each item stands in the text.

A figure holds for the reader, the texts and the day it names. "The plain sentence" is the same question put in one sentence, without the folder.
Tokens are what a request takes besides the text, at most.

The rows of every task have these columns, beside those it names as its own:

- `item_list`: the list of the record that the item is of, such as `claims`.
- `item_pointer`: where it stands in the record, such as `/claims/0`; empty in the one row of a document without items.
- `item_parent`: the pointer of the item it stands in, where lists hold lists.
- `item_text`: its words in the document, those of its first quote.
- `item_start`, `item_end`: where they stand in the text, in characters from 0; the end is the first character behind them.
- `item_match`: how well they match: `verbatim`, `normalised`, `elided`, `altered` or `absent`.
- `item_parts`: of a quote with words left out, start and end of each part.

"""
TABLE = "| task | for | tokens |\n|---|---|---|"
OTHERS = "others"
NO_CARD = "No card yet."


def tasks_page(project: Project | None = None) -> str:
    """The whole page: a heading for each group, its table and its tasks."""
    tasks = [task for task in list_tasks(project or Project(ROOT, ROOT / ".cupel")) if task.spec is not None]
    parts = [line for name in (*GROUPS, OTHERS) for line in _group(name, tasks)]
    return HEAD + "\n".join([*parts, f"Written by {COMMAND}."]) + "\n"


def _group(name: str, tasks: list[ListedTask]) -> Iterator[str]:
    """What belongs under one heading; nothing where no task does."""
    held = [(task, task.spec) for task in tasks if task.spec is not None and _group_of(task.spec) == name]
    if not held:
        return
    yield f"## {name.capitalize()}\n\n{TABLE}"
    for task, spec in held:
        yield f"| [`{task.name}`](#{task.name}) | {spec.title} | {task.tokens:,} |"
    yield ""
    for task, spec in held:
        yield from _section(task, spec)


def _group_of(spec: TaskSpec) -> str:
    card = read_card(spec)
    return OTHERS if card is None else card.group or OTHERS


def _section(task: ListedTask, spec: TaskSpec) -> Iterator[str]:
    card = read_card(spec)
    yield f"### {task.name}\n\n{spec.title}. {spec.description}\n"
    yield from _said(card)
    yield f"- **Inputs**: {_inputs(spec)}"
    yield f"- **Fields**: {', '.join(_fields(spec))}"
    yield f"- **Columns of its rows**: {', '.join(f'`{name}`' for name in task.columns)}\n"
    if card is not None and card.output is not None:
        yield f"A real output, of `{card.output.doc_id}` ({card.output.source}):\n"
        yield f"```json\n{json.dumps(card.output.record, ensure_ascii=False, indent=2)}\n```\n"


def _said(card: Card | None) -> Iterator[str]:
    if card is None:
        yield f"{NO_CARD}\n"
        return
    yield f"- **Use it when**: {card.use_when}"
    yield f"- **It cannot see**: {card.cannot_see}"
    yield f"- **Measured**: {card.measured or UNMEASURED}"


def _inputs(spec: TaskSpec) -> str:
    named = [
        f"`{name}`" + (" (may be missing)" if name in spec.optional_inputs else "") for name in spec.inputs
    ]
    return ", ".join(["the text", *named])


def _fields(spec: TaskSpec) -> Iterator[str]:
    """The record's fields; of a list of objects what an item has, and which of them code fills in."""
    computed = {one.path for one in computed_fields(spec.schema)}
    for name, field in spec.fields.items():
        inner = (
            [_named(f"{name}/{part}", computed) for part in _item(field).fields]
            if name not in computed
            else []
        )
        yield _named(name, computed) + (f" ({', '.join(inner)})" if inner else "")


def _item(field: Field) -> Field:
    return field.item() if field.kind == "array" else field


def _named(path: str, computed: set[str]) -> str:
    return f"`{path.rpartition('/')[2]}`" + (" by code" if path in computed else "")


if __name__ == "__main__":
    PAGE.write_text(tasks_page(), encoding="utf-8")
