"""Public logs of model pairs as rows for a replay; every reader takes the folder of one data set.

The logs are not part of the repository: `--data` or CUPEL_BENCH_DATA says where they are. See README.md.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from cupel.routing.confidence.agreement import record_agreement
from cupel.routing.rows import RunRows


def _sibling(name: str) -> ModuleType:
    """A module beside this file; evals/ is not a package."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"_cupel_evals_{name}", path)
    assert spec is not None  # the file is beside this one
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


calls_log = _sibling("function_calls")

Pair = Mapping[str, Any]
"""One `[[pair]]` table of an experiment: name, weak, strong, and what that reader needs."""


def routellm(folder: Path, pair: Pair) -> RunRows:
    """RouteLLM's GSM8K and MMLU logs: correctness of one pair; its contaminated rows are left out."""
    table = pd.read_parquet(folder / "pairs.parquet")
    table = table[~table["contaminated"]].drop_duplicates("id")
    return RunRows.from_columns(
        name=pair["name"],
        doc_id=table["id"].tolist(),
        text=table["prompt"].tolist(),
        weak=table["weak_correct"],
        strong=table["strong_correct"],
        weak_cost=pair["weak_price"],
        strong_cost=pair["strong_price"],
    )


def mtbench(folder: Path, pair: Pair) -> RunRows:
    """MT-Bench: a judge's 1-10, mean of both turns, as a share."""
    table = pd.read_parquet(folder / "responses.parquet")
    table = table[~table["contaminated"]]
    scores = table.pivot_table(index="id", columns="model", values="score") / 10
    texts = table.drop_duplicates("id").set_index("id")["prompt"].loc[scores.index]
    return RunRows.from_columns(
        name=pair["name"],
        doc_id=scores.index.tolist(),
        text=texts.tolist(),
        weak=scores[pair["weak"]],
        strong=scores[pair["strong"]],
        weak_cost=pair["weak_price"],
        strong_cost=pair["strong_price"],
    )


def routerbench(folder: Path, pair: Pair) -> RunRows:
    """RouterBench subset: score and real dollars of eleven models."""
    table = arms(folder, [pair["weak"], pair["strong"]])
    return RunRows.from_columns(
        name=pair["name"],
        doc_id=table.index.tolist(),
        text=table["prompt"].tolist(),
        weak=table["score", pair["weak"]],
        strong=table["score", pair["strong"]],
        weak_cost=table["cost_usd", pair["weak"]],
        strong_cost=table["cost_usd", pair["strong"]],
    )


def arms(folder: Path, models: list[str]) -> pd.DataFrame:
    """Score and cost of several models per question, questions with an empty score left out."""
    log = pd.read_parquet(folder / "responses.parquet").drop_duplicates(["id", "model"])
    wide = log[log["model"].isin(models)].pivot_table(
        index="id", columns="model", values=["score", "cost_usd"]
    )
    wide = wide.dropna()
    prompts = pd.read_parquet(folder / "queries.parquet").drop_duplicates("id").set_index("id")["prompt"]
    wide["prompt"] = prompts.loc[wide.index]
    return wide


def cascade(folder: Path, pair: Pair) -> RunRows:
    """Answers with a logged confidence: a token's probability, or self-verification (one more weak call)."""
    log = pd.read_parquet(folder / "responses.parquet")
    queries = pd.read_parquet(folder / "queries.parquet")
    log = log[log["task"] == pair["task"]]
    keys = ["id", "src_split"]
    both = log[log["model"] == pair["weak"]].merge(
        log[log["model"] == pair["strong"]], on=keys, suffixes=("", "_s")
    )
    both = both.merge(queries[[*keys, "prompt"]], on=keys)
    signal = str(both["confidence_signal"].iloc[0])
    paid = both["cost_usd"] if signal.startswith("self_verify") else 0.0
    return RunRows.from_columns(
        name=pair["name"],
        doc_id=both["id"].tolist(),
        text=both["prompt"].tolist(),
        weak=both["correct"],
        strong=both["correct_s"],
        weak_cost=both["cost_usd"],
        strong_cost=both["cost_usd_s"],
        signals={signal: both["confidence"]},
        signal_costs={signal: paid},
    )


def mmlu_pro(folder: Path, pair: Pair) -> RunRows:
    """Agreement of parsed answers between models, and the length of the answer."""
    log = pd.read_parquet(folder / "responses.parquet")
    wide = log.pivot_table(
        index="question_id", columns="model", values=["correct", "output_chars"], aggfunc="first"
    )
    answers = log.assign(pred=log["pred"].fillna("")).pivot_table(
        index="question_id", columns="model", values="pred", aggfunc="first"
    )
    weak, strong, others = pair["weak"], pair["strong"], pair["others"]
    kept = wide.index[wide["correct", weak].notna() & wide["correct", strong].notna()]
    answers, wide = answers.loc[kept].fillna(""), wide.loc[kept]
    mine = answers[weak]
    same = pd.DataFrame({other: (answers[other] == mine) & (mine != "") for other in others}).astype(float)
    queries = pd.read_parquet(folder / "queries.parquet").set_index("question_id").loc[kept]
    price = float(pair["weak_price"])
    return RunRows.from_columns(
        name=pair["name"],
        doc_id=queries["id"].tolist(),
        text=queries["question"].tolist(),
        weak=wide["correct", weak].astype(float),
        strong=wide["correct", strong].astype(float),
        weak_cost=price,
        strong_cost=pair["strong_price"],
        signals={
            "agreement with 1 other model": same[others[0]],
            "agreement with 3 other models": same.mean(axis=1),
            "answer could be parsed": (mine != "").astype(float),
            "shorter answer": 1 - wide["output_chars", weak].rank(pct=True),
        },
        signal_costs={"agreement with 1 other model": price, "agreement with 3 other models": 3 * price},
    )


def self_consistency(folder: Path, pair: Pair) -> RunRows:
    """Share of votes among 20 or 24 samples; agreement of two prompts' first answers."""
    table = pd.read_parquet(folder / "pairs.parquet")
    table = table[table["task"] == pair["task"]]
    first, second, price = (
        f"weak_{pair['prompts'][0]}",
        f"weak_{pair['prompts'][1]}",
        float(pair["weak_price"]),
    )
    agree = (table[f"{first}_answer"] == table[f"{second}_answer"]).astype(float)
    return RunRows.from_columns(
        name=pair["name"],
        doc_id=table["id"].tolist(),
        text=table["prompt"].tolist(),
        weak=table[f"{first}_correct"].astype(float),
        strong=table[f"{pair['strong']}_correct"].astype(float),
        weak_cost=price,
        strong_cost=pair["strong_price"],
        signals={
            "self-consistency 20 votes": table[f"{first}_vote_share"],
            "agreement of two prompts": agree,
        },
        signal_costs={
            "self-consistency 20 votes": (table[f"{first}_n"] - 1) * price,
            "agreement of two prompts": price,
        },
    )


def function_calls(folder: Path, pair: Pair) -> RunRows:
    """Berkeley function calling: schema, groundedness, and agreement with a second cheap model."""
    queries = pd.read_parquet(folder / "queries.parquet").set_index("id")
    log = pd.read_parquet(folder / "responses.parquet")
    weak, strong, other = (_answers(log, pair[role], queries) for role in ("weak", "strong", "second"))
    weak_calls, other_calls = ([calls_log.parse(text) for text in each["output"]] for each in (weak, other))
    functions = [each if isinstance(each, list) else [each] for each in map(json.loads, queries["functions"])]
    questions = queries["question"]
    second = "agreement with a second cheap model"
    records, other_records = ([calls_log.as_record(c) for c in each] for each in (weak_calls, other_calls))
    graded = [record_agreement(a, b) for a, b in zip(records, other_records, strict=True)]
    return RunRows.from_columns(
        name=pair["name"],
        doc_id=queries.index.tolist(),
        text=questions.tolist(),
        weak=weak["correct"],
        strong=strong["correct"],
        weak_cost=_token_cost(weak, pair["weak_price"]),
        strong_cost=_token_cost(strong, pair["strong_price"]),
        signals={
            "schema valid": _each(calls_log.schema_valid, weak_calls, functions),
            "groundedness": _each(calls_log.grounded, weak_calls, questions),
            second: _each(calls_log.same_calls, weak_calls, other_calls),
            "agreement field by field": [np.nan if value is None else value for value in graded],
            "second reply valid": _each(calls_log.schema_valid, other_calls, functions),
            "second reply grounded": _each(calls_log.grounded, other_calls, questions),
            "shorter reply": -np.log1p(weak["output"].str.len()),
        },
        signal_costs={second: _token_cost(other, pair["second_price"])},
        shared_calls=dict.fromkeys(
            ("agreement field by field", "second reply valid", "second reply grounded"), second
        ),
    )


def _each(measure: Callable[..., float], *columns: Iterable[Any]) -> list[float]:
    return [float(measure(*values)) for values in zip(*columns, strict=True)]


def _answers(log: pd.DataFrame, model: str, queries: pd.DataFrame) -> pd.DataFrame:
    return log[log["model"] == model].set_index("id").loc[queries.index]


def _token_cost(answers: pd.DataFrame, price: list[float]) -> Any:
    """Dollars of one call; 500 tokens in and 50 out, as the other models need, where the log has no counts."""
    return (price[0] * answers["tokens_in"].fillna(500) + price[1] * answers["tokens_out"].fillna(50)) / 1e6


def routerarena(folder: Path, pair: Pair) -> RunRows:
    """A control: the cheaper model is also the better one."""
    log = pd.read_parquet(folder / "responses.parquet")
    wide = log.pivot_table(index="id", columns="model", values=["score", "cost_usd"])
    prompts = pd.read_parquet(folder / "queries.parquet").set_index("id")["prompt"].loc[wide.index]
    return RunRows.from_columns(
        name=pair["name"],
        doc_id=wide.index.tolist(),
        text=prompts.tolist(),
        weak=np.clip(wide["score", pair["weak"]], 0, 1),
        strong=np.clip(wide["score", pair["strong"]], 0, 1),
        weak_cost=wide["cost_usd", pair["weak"]],
        strong_cost=wide["cost_usd", pair["strong"]],
    )


def llmrouter(folder: Path, pair: Pair) -> RunRows:
    """LLMRouter's mixed benchmark: scores only, no costs."""
    log = pd.read_parquet(folder / "responses.parquet")
    wide = log.pivot_table(index="id", columns="model", values="score")[
        [pair["weak"], pair["strong"]]
    ].dropna()
    prompts = pd.read_parquet(folder / "queries.parquet").drop_duplicates("id").set_index("id")["prompt"]
    return RunRows.from_columns(
        name=pair["name"],
        doc_id=wide.index.tolist(),
        text=prompts.loc[wide.index].tolist(),
        weak=wide[pair["weak"]],
        strong=wide[pair["strong"]],
        weak_cost=pair["weak_price"],
        strong_cost=pair["strong_price"],
    )


def extraction(folder: Path, pair: Pair) -> RunRows:
    """One model's self-reported confidence in extraction; no strong model, so for calibration only."""
    table = pd.read_parquet(folder / "responses.parquet")
    if pair["task"] != "pooled":
        table = table[table["task"] == pair["task"]]
    return RunRows.from_columns(
        name=pair["name"],
        doc_id=table["id"].tolist(),
        weak=table["correct"],
        strong=table["correct"],
        signals={"self-report": table["self_report_confidence"] / 100},
    )


def readers() -> Iterator[str]:
    """Names an experiment may give as `reader`."""
    yield from (
        "routellm", "mtbench", "routerbench", "cascade", "mmlu_pro", "self_consistency", "function_calls",
        "routerarena", "llmrouter", "extraction",
    )  # fmt: skip
