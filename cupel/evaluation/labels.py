"""Rows of data sets, people's labels, and how both look as examples of LangSmith: the formats in one place.

A row is `{"id", "text", "meta", "gold"}`; a label is a row of `cupel judge-check`: `{"id", "text", "record", "label",
"labels", "meta"}`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cupel.errors import InputError, SettingError
from cupel.files import SHARED, read_text, write_whole
from cupel.project import Project
from cupel.tracing import Correction, pull_corrections

DECISIONS = ("label", "correct", "correctness", "accepted", "right")
"""Keys of feedback by which a person says that a record may stand, or not; other keys name a criterion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What people said in LangSmith of a data set, as files of this project."""

    labels: Path | None
    """For `cupel judge-check`; None where nobody judged a record."""

    gold: Path | None
    """A data set with what people corrected as its gold; None where nobody corrected one."""

    judged: int = 0
    corrected: int = 0


def as_example(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as an example: what a task is given, what is right, and what is known of it."""
    meta = dict(row.get("meta") or {})
    return {
        "id": row["id"],
        "inputs": {"text": row["text"], "meta": meta},
        "outputs": {"gold": row.get("gold")},
        "metadata": {"id": row["id"], **{name: meta[name] for name in _KNOWN if name in meta}},
    }


_KNOWN = ("failed", "criteria", "prompt_version", "debate", "topic")


def as_label(row: Mapping[str, Any], said: Correction, criteria: Sequence[str]) -> dict[str, Any] | None:
    """A row with what a person said of a record of it; None where they judged none.

    >>> said = Correction(record={"a": 1}, corrected={"a": 2}, scores={"complete": 0.0})
    >>> as_label({"id": "d", "text": "t"}, said, ["complete"])["labels"]
    {'complete': 'fail'}
    """
    if said.record is None:
        return None
    decided = [score for name, score in said.scores.items() if name in DECISIONS]
    labels = {name: _word(score) for name, score in said.scores.items() if name in criteria}
    if not decided and said.corrected is not None:
        decided = [float(said.corrected == said.record)]
    if not decided and not labels:
        return None
    label = {"label": _word(decided[-1])} if decided else {}
    return {
        "id": row["id"], "text": row["text"], "record": said.record, **label, "labels": labels, "meta": row.get("meta") or {},
    }  # fmt: skip


def _word(score: float) -> str:
    return "pass" if score >= 0.5 else "fail"


def as_gold(row: Mapping[str, Any], said: Correction) -> dict[str, Any] | None:
    """A row with what a person says is right; None where nobody said that, or it is what stood there."""
    if said.corrected is None or said.corrected == row.get("gold"):
        return None
    return {**row, "gold": said.corrected}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a data set.

    Raises:
        InputError: If it is not there, or a line is no row.
    """
    try:
        rows = [json.loads(line) for line in read_text(path).splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: no data set can be read there ({error}); `cupel failures --freeze NAME` makes one"
        ) from error
    for number, row in enumerate(rows, start=1):
        if not (isinstance(row, dict) and row.get("id") and isinstance(row.get("text"), str)):
            raise InputError(f'{path}:{number}: is no row {{"id", "text", …}} of a data set')
    return rows


def pull_labels(project: Project, name: str, criteria: Sequence[str]) -> Pulled:
    """Bring back what people said in LangSmith of a data set of this project, as labels and as gold.

    The texts are those of the file here: LangSmith may have them masked.

    Args:
        project: Whose `evals/datasets/NAME.jsonl` it is.
        name: The data set's name, here and there.
        criteria: Of its task: feedback under these names is about them.

    Raises:
        InputError: If the data set is not here, or the files it would write are there already.
        SettingError: Without a key, or where LangSmith cannot be reached or refuses.
    """
    if not os.environ.get("LANGSMITH_API_KEY"):
        raise SettingError("LangSmith needs LANGSMITH_API_KEY")
    folder = project.state.parent / "evals" / "datasets"
    rows = read_rows(folder / f"{name}.jsonl")
    said = pull_corrections(os.environ, name, [row["id"] for row in rows])
    pairs = [(row, said[row["id"]]) for row in rows if row["id"] in said]
    labels = [made for row, one in pairs if (made := as_label(row, one, criteria))]
    gold = [made for row, one in pairs if (made := as_gold(row, one))]
    return Pulled(
        labels=_write(folder / f"{name}-labels.jsonl", labels), gold=_write(folder / f"{name}-gold.jsonl", gold),
        judged=len(labels), corrected=len(gold),
    )  # fmt: skip


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path | None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if not text:
        return None
    if path.exists() and read_text(path) != text:
        raise InputError(f"{path}: exists, and may have been worked on since; move it away to pull anew")
    write_whole(path, text, permissions=SHARED)
    return path
