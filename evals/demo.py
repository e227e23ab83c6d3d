"""What `make demo` adds to the run's own summary: each document in a line, and what each tier did.

python evals/demo.py .cupel/demo/speeches.jsonl
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from cupel.project import find_project
from cupel.runlog.store import open_run_log

COLUMNS = {"speaker": "left", "chars": "right", "items": "right", "stance": "left"}
NAMES = {"extract": "cheap", "escalate": "strong"}


def documents_table(rows: Sequence[Mapping[str, Any]], outcomes: Sequence[Mapping[str, Any]]) -> Table:
    """One line per speech: the record in figures, and how it came about."""
    table = Table(
        title="Twelve speeches, 10–12 March 2025 · source: European Parliament\nitems: claims + premises",
        box=SIMPLE,
    )
    for name, side in COLUMNS.items():
        table.add_column(name, justify="right" if side == "right" else "left")
    table.add_column("read by, F1 by the judge")
    for row, outcome in zip(rows, outcomes, strict=True):
        record = row["arguments"] or {}
        items = " + ".join(str(len(record.get(field, []))) for field in ("claims", "premises"))
        # the surname, so that a line is a line
        cells = [row["meta"]["speaker"].split()[-1], str(len(row["text"])), items]
        table.add_row(*cells, record.get("stance", "–"), ", ".join(tell_steps(outcome)))
    return table


def tell_steps(outcome: Mapping[str, Any]) -> Iterator[str]:
    """What was done about one document, in order: who read it, what came of that, and how it ended where it was not accepted.

    >>> read = {"number": 1, "tier": "cheap", "in_doubt": True}
    >>> list(tell_steps({"attempts": [read], "verdicts": [], "addenda": [], "status": "needs_review"}))
    ['cheap in doubt', 'needs_review']
    """
    verdicts = {verdict["attempt"]: verdict for verdict in outcome["verdicts"]}
    refined = {addendum["after_attempt"] for addendum in outcome["addenda"]}
    for attempt in outcome["attempts"]:
        verdict = verdicts.get(attempt["number"])
        made = [attempt["tier"], *(["in doubt"] if attempt["in_doubt"] else [])]
        yield " ".join([*made, *([estimate(verdict)] if verdict else [])])
        if attempt["number"] in refined:
            yield "refined"
    if outcome["status"] != "accepted":
        yield outcome["status"]


def estimate(verdict: Mapping[str, Any]) -> str:
    """The judge's estimate of a record's F1, or its verdict where it has none."""
    told = verdict.get("estimate")
    return f"{told['score']:.2f}" if told else str(verdict["verdict"])


def tell_tiers(outcomes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What each tier did, a sentence each."""
    attempts = [attempt for outcome in outcomes for attempt in outcome["attempts"]]
    verdicts = [verdict for outcome in outcomes for verdict in outcome["verdicts"]]
    addenda = [addendum for outcome in outcomes for addendum in outcome["addenda"]]
    for tier in ("cheap", "strong"):
        read = {id(outcome) for outcome in outcomes if any(a["tier"] == tier for a in outcome["attempts"])}
        settled = sum(outcome["tier"] == tier and outcome["status"] == "accepted" for outcome in outcomes)
        yield f"{tier:7} read {len(read)} of {len(outcomes)} speeches; its record was accepted in the end for {settled}"
    doubted = sum(attempt["in_doubt"] for attempt in attempts)
    why = "; ".join(sorted({reason for attempt in attempts for reason in attempt.get("doubts", [])}))
    yield f"verify  by code alone, found {doubted} of {len(attempts)} records in doubt" + (
        f": {why}" if why else ""
    )
    rejected = sum(verdict["verdict"] == "rejected" for verdict in verdicts)
    yield f"judge   went through {len(verdicts)} records item by item, estimated their F1, and rejected {rejected}"
    lines = sum(len(addendum["instructions"]) for addendum in addenda)
    yield f"refine  wrote {lines} instructions for {len(addenda)} of them, from what the judge had found"


def read_outcomes(ids: Sequence[str]) -> list[dict[str, Any]]:
    """What became of each document the last time, from the run log."""
    log = open_run_log(find_project().state, {})
    try:
        return [json.loads(log.find_document(doc_id)[0][0]["outcome"]) for doc_id in ids]
    finally:
        log.close()


def count_paths(outcomes: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """How often each way through the graph occurred."""
    return Counter(" → ".join(NAMES.get(node, node) for node in outcome["path"]) for outcome in outcomes)


def main() -> None:
    """Print the table, what each tier did, the paths, and what answered."""
    console = Console()
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    outcomes = read_outcomes([str(row["id"]) for row in rows])
    console.print(documents_table(rows, outcomes))
    console.print("What each step did:")
    for line in tell_tiers(outcomes):
        console.print(f"  {line}", highlight=False)
    console.print("\nPaths that occurred:")
    for path, count in count_paths(outcomes).most_common():
        console.print(f"{count:4} × {path}", highlight=False)
    console.print(
        "\nNo key was used: all answers are a language model's, recorded for exactly these prompts. The cheap tier is the same "
        "model with a smaller view: the first line of the prompt and 1,200 characters of the speech "
        "(evals/recordings/README.md).\n"
        "With a key of your own: GROQ_API_KEY=… .venv/bin/cupel run FILE --task arguments",
        highlight=False,
    )


if __name__ == "__main__":
    main()
