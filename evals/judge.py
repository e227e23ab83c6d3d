"""How well a judge tells right records from wrong ones, by gold, for any way of judging and any model.

    CUPEL_BENCH_DATA=DIR python evals/judge.py SET --judge-model openai:NAME [--ways items …] [--extractions FILE]

`CUPEL_BENCH_DATA` holds one folder per set with a `dev.jsonl`; nothing of it is copied. Judged are as many right records as
wrong ones, right by the task's metric against gold: real ones from `--extractions` (JSONL: `id`, `record`; of two for one
document the second is the other reading of adjudication), the wrong topped up with right ones of other documents, spoiled
silently until the metric says so. Without extractions the right ones are the gold itself, in the fields it annotates.

An endpoint that is answered slowly by hand will do: all requests of a way are sent at once, and wait.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from cupel.context import run_context
from cupel.evaluation.judge_check import Case, verdicts_on
from cupel.evaluation.judge_measure import Scored, measure_judge
from cupel.files import read_text, write_whole
from cupel.judging import JudgeBinding, certain_faults, measure_agreement, mutate
from cupel.judging.agreement import IntervalEstimate, auroc_estimate
from cupel.metrics import record_metric
from cupel.project import Project, find_project
from cupel.runlog import cost_of
from cupel.runs import open_bench
from cupel.state import Record, VerdictRecord
from cupel.task import TaskSpec, ad_hoc_task, load_task
from cupel.text import ground_record

WAYS = ("criteria", "items", "adjudicate")

SILENT = (
    "item_dropped",
    "item_split",
    "list_changed",
    "label_flipped",
    "reference_moved",
    "text_truncated",
    "voice_taken",
)
"""Ways to spoil a record that leave it valid, with every quote in its document: code alone sees none of them."""

CLAIM_SCHEMA = {
    "type": "object",
    "title": "Claim and evidence",
    "properties": {
        "reason": {"type": "string"},
        "label": {"enum": ["supports", "refutes", "not_enough_info", "disputed"]},
    },
    "required": ["reason", "label"],
}
CLAIM_TASK = (
    "A claim and five pieces of evidence. `label`: what the evidence as a whole says of the claim: supports, refutes, "
    "not_enough_info where no piece bears on it closely enough, disputed where some support and some refute it. `reason`: "
    "one sentence that names the evidence which decides."
)


@dataclass(frozen=True, kw_only=True)
class Set:
    """A data set: the task it is gold for, and how its gold is a record of that task."""

    task: str
    gold: Callable[[Mapping[str, Any]], Record]
    metric: str = ""
    """Of an ad-hoc task."""

    alike: Mapping[str, str] = field(default_factory=dict)
    """Our labels that the gold has another name for."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    """An input of the task → where it stands in `meta`."""

    annotated: tuple[str, ...] = ()
    """Fields the gold knows, of lists' entries too, where it does not know all."""

    def task_spec(self, prompts: Path) -> TaskSpec:
        """The task as it is shipped."""
        if self.task != "ad-hoc":
            return load_task(self.task, prompts)
        return replace(ad_hoc_task(CLAIM_SCHEMA, CLAIM_TASK, prompts), metric=self.metric)


def _statements(gold: Mapping[str, Any]) -> Record:
    spans = sorted(gold["spans"], key=lambda span: span["start"])
    named = {"claims": "Claim", "premises": "Premise"}
    return {
        name: [{"quote": span["text"]} for span in spans if span["label"] == label]
        for name, label in named.items()
    }


def _entities(gold: Mapping[str, Any]) -> Record:
    spans = sorted(gold["spans"], key=lambda span: span["start"])
    return {"entities": [{"quote": span["text"], "type": span["label"]} for span in spans]}


SETS: Mapping[str, Set] = {
    "argument_components": Set(
        task="arguments", gold=_statements, annotated=("claims", "premises", "quote"),
    ),
    "ner_europarl": Set(task="entities", gold=_entities, alike={"LAW": "MISC"}),
    "stance": Set(
        task="stance", gold=lambda gold: {"stance": gold["label"]}, inputs={"topic": "target"}, annotated=("stance",)
    ),
    "claim_evidence": Set(
        task="ad-hoc", gold=lambda gold: {"label": gold["label"]}, metric="label", annotated=("label",)
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A record to judge, what it was made of, and how good it is by gold."""

    case: Case
    kind: str
    """`real`, `gold`, or what was done to one of them."""

    score: float


# ---- the records


def read_set(folder: Path, name: str, skip: int, count: int) -> list[dict[str, Any]]:
    """The gold documents of a set, from one on."""
    lines = read_text(folder / name / "dev.jsonl").splitlines()
    return [json.loads(line) for line in lines[skip : skip + count]]


def read_extractions(path: Path | None) -> dict[str, list[Record]]:
    """Records others extracted, by document."""
    found: dict[str, list[Record]] = {}
    for line in read_text(path).splitlines() if path else ():
        row = json.loads(line)
        found.setdefault(row["id"], []).append(row["record"])
    return found


def agree(record: Record, gold: Record, task: TaskSpec, alike: Mapping[str, str]) -> float:
    """The task's metric, with our labels in the words of the gold."""
    said = json.loads(
        json.dumps(record),
        object_hook=lambda one: {k: alike.get(v, v) if isinstance(v, str) else v for k, v in one.items()},
    )
    return record_metric(said, gold, metric=task.metric, schema=task.schema)


def spoil(
    case: Case, gold: Record, task: TaskSpec, alike: Mapping[str, str], seed: int
) -> tuple[Record, str] | None:
    """A right record spoiled step by step until it is wrong by gold; None where that does not come about."""
    record, done = case.record, Counter[str]()
    drawing = random.Random(f"{seed} {case.doc_id}")
    for step in range(80):
        made = mutate(record, task.schema, text=case.text, seed=drawing.randrange(10**9) + step)
        ways = [one for one in made if one.name in SILENT and is_silent(one.record, task, case.text)]
        if not ways:
            return None
        chosen = drawing.choice(ways)
        record = chosen.record
        done[chosen.name] += 1
        if agree(record, gold, task, alike) < task.wrong_below:
            return record, "spoiled: " + ", ".join(f"{count} {name}" for name, count in done.most_common())
    return None


def is_silent(record: Record, task: TaskSpec, text: str) -> bool:
    """Whether code finds nothing certain against a record."""
    return not list(certain_faults(record, task, ground_record(record, task.schema, text)))


def gather(told: argparse.Namespace, task: TaskSpec, data: Set) -> list[Judged]:
    """As many right records as wrong ones: real ones first, one of a document and kind; spoiled ones of other documents."""
    documents = read_set(Path(os.environ["CUPEL_BENCH_DATA"]), told.set, told.skip, told.documents)
    extractions = read_extractions(told.extractions)
    right, wrong, spare = list[Judged](), list[Judged](), list[tuple[Judged, Record]]()
    again = list[Judged]()  # a second right record of a document, where there are too few documents
    for document in documents:
        gold = data.gold(document["gold"])
        is_bare = not told.extractions or (document["id"] not in extractions and not data.annotated)
        records = [gold] if is_bare else extractions.get(document["id"], [])
        made = [
            Judged(
                case=case,
                kind="gold" if is_bare else "real",
                score=agree(case.record, gold, task, data.alike),
            )
            for case in cases_of(document, records, data)
        ]
        made = [replace(one, case=replace(one.case, label=one.score >= task.wrong_below)) for one in made]
        good = [one for one in made if one.score >= task.wrong_below]
        bad = [one for one in made if one.score < task.wrong_below]
        wrong += bad[:2]
        again += [one for one in good[1:2] if one.case.record != good[0].case.record]
        if good and not bad:
            spare.append((good[0], gold))
        elif good:
            right.append(good[0])
    random.Random(told.seed).shuffle(spare)
    # real ones first; what is spoiled is, where there are enough, of documents that are not judged unspoiled
    spare.sort(key=lambda row: row[0].kind != "real")
    right = [*right, *(one for one, _ in spare), *again][: told.right]
    taken = {one.case.doc_id for one in right}
    for judged, gold in sorted(spare, key=lambda row: row[0].case.doc_id in taken):
        if len(wrong) < told.wrong:
            done = spoil(judged.case, gold, task, data.alike, told.seed)
            if done is not None:
                record, how = done
                score = agree(record, gold, task, data.alike)
                wrong.append(
                    Judged(case=replace(judged.case, record=record, label=False), kind=how, score=score)
                )
    return [*right, *wrong[: told.wrong]]


def cases_of(document: Mapping[str, Any], records: Sequence[Record], data: Set) -> Iterator[Case]:
    """Each record of a document, beside it another one where there is one."""
    meta = document.get("meta") or {}
    for at, record in enumerate(records):
        others = [one for number, one in enumerate(records) if number != at]
        yield Case(
            doc_id=document["id"], text=document["text"], record=record,
            group=str(meta.get("debate") or document["id"]),
            inputs={name: str(meta[key]) for name, key in data.inputs.items()}, second=others[0] if others else None,
        )  # fmt: skip


def reduce(task: TaskSpec, annotated: Sequence[str]) -> TaskSpec:
    """The task without what its gold does not know: a record made of gold would be wrong there."""
    if not annotated:
        return task
    schema = json.loads(json.dumps(task.schema))
    _keep(schema, set(annotated))
    labels = {
        name: values
        for name, values in task.labels.items()
        if name in annotated or set(values) & set(annotated)
    }
    return replace(task, schema=schema, labels=labels, must_fill=(), merge={})


def _keep(node: Any, names: set[str]) -> None:
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            node["properties"] = {name: value for name, value in node["properties"].items() if name in names}
            node["required"] = [name for name in node.get("required", []) if name in names]
        for value in node.values():
            _keep(value, names)


# ---- what the judge makes of them


async def hear(
    told: argparse.Namespace, judged: Sequence[Judged], task: TaskSpec
) -> dict[str, list[VerdictRecord]]:
    """Every verdict of every way, all asked at once."""
    options = {
        "judge_model": told.judge_model, "timeout_s": 3_500.0, "max_retries": 0, "advisory_judge": False,
        "cheap_model": told.cheap_model or told.judge_model, "strong_model": "none", "refiner_model": "none",
    }  # fmt: skip
    project, cases = find_project(), [one.case for one in judged]
    contexts = {way: run_context({**options, "judge_way": way}, os.environ) for way in told.ways}
    async with open_bench(Project(project.folder, Path(told.state)), f"judge-{told.set}"):
        heard = await asyncio.gather(
            *(verdicts_on(cases, task, context, at_once=len(cases)) for context in contexts.values())
        )
    return dict(zip(contexts, heard, strict=True))


def score_of(verdict: VerdictRecord) -> float | None:
    """How good the judge thinks a record is, in [0, 1]; what code rejected is worth nothing."""
    return 0.0 if verdict["code_findings"] else verdict["score"]


def figures(judged: Sequence[Judged], verdicts: Sequence[VerdictRecord]) -> Iterator[tuple[str, str]]:
    """What one way comes to, by the name of each figure."""
    said = {"accepted": "pass", "rejected": "fail", "unknown": "unknown"}
    rows = [(one, verdict, score_of(verdict)) for one, verdict in zip(judged, verdicts, strict=True)]
    known = [(one, score) for one, _, score in rows if score is not None]
    yield "AUROC", _show(_auroc(known))
    yield "AUROC, real ones", _show(_auroc([row for row in known if row[0].kind == "real"]))
    spoiled = [row for row in known if row[0].case.label or row[0].kind.startswith("spoiled")]
    yield "AUROC, right against spoiled", _show(_auroc(spoiled))
    agreement = measure_agreement(
        [said[verdict["verdict"]] for _, verdict, _ in rows],  # type: ignore[misc]  # the names of findings
        [bool(one.case.label) for one, _, _ in rows],
        [one.case.group for one, _, _ in rows],
    )
    yield "kappa", _show(agreement.kappa)
    yield "TPR", _show(agreement.tpr)
    yield "TNR", _show(agreement.tnr)
    yield from _calibrated(rows)
    for kind, shown in (("right", True), ("wrong, real", "real"), ("wrong, spoiled", "spoiled")):
        own = [v["verdict"] for one, v, _ in rows if _is_kind(one, shown)]
        yield f"rejected: {kind}", f"{own.count('rejected')} of {len(own)}"
    yield "unknown", str(agreement.unknown)
    calls = [call for verdict in verdicts for call in verdict["calls"]]
    count = max(1, len(verdicts))
    yield "calls", str(len(calls))
    yield "tokens in", f"{sum(call['input_tokens'] for call in calls) / count:.0f}"
    yield "tokens out", f"{sum(call['output_tokens'] for call in calls) / count:.0f}"
    cost = cost_of(calls)
    yield "cost", "unknown price" if cost is None else f"${cost:.4f}"


def _calibrated(rows: Sequence[tuple[Judged, VerdictRecord, float | None]]) -> Iterator[tuple[str, str]]:
    """The same of the verdicts that the calibrated estimate gives, each from folds that saw neither record nor group."""
    way = next((verdict["way"] for _, verdict, _ in rows if "way" in verdict), "criteria")
    binding = JudgeBinding(task="", way=way, model="", prompt_version="")
    scored = [Scored(verdict=v, right=bool(one.case.label), group=one.case.group) for one, v, _ in rows]
    found = measure_judge(binding, scored).calibrated
    for name in ("kappa", "tpr", "tnr"):
        shown = name if name == "kappa" else name.upper()
        yield f"{shown}, calibrated", "–" if found is None else _show(getattr(found, name))


def _is_kind(one: Judged, shown: object) -> bool:
    if shown is True:
        return bool(one.case.label)
    return not one.case.label and one.kind.startswith(str(shown))


def _auroc(rows: Sequence[tuple[Judged, float]]) -> IntervalEstimate:
    return auroc_estimate(
        [score for _, score in rows],
        [bool(one.case.label) for one, _ in rows],
        [one.case.group for one, _ in rows],
    )


def _show(estimate: IntervalEstimate) -> str:
    if estimate.value is None:
        return "–"
    return f"{estimate.value:.2f} [{estimate.interval.low:.2f}, {estimate.interval.high:.2f}]"


def keep(path: Path, judged: Sequence[Judged], verdicts: Sequence[VerdictRecord]) -> None:
    """Every record with its verdict, for whoever wants to know what was missed."""
    lines = [
        json.dumps(
            {"id": one.case.doc_id, "kind": one.kind, "metric": one.score, "right": one.case.label, "record": one.case.record, "verdict": verdict},
            ensure_ascii=False,
        )
        for one, verdict in zip(judged, verdicts, strict=True)
    ]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, "\n".join(lines) + "\n")


async def measure(told: argparse.Namespace) -> dict[str, dict[str, str]]:
    """The figures of every way asked for."""
    data = SETS[told.set]
    task = data.task_spec(find_project().prompts)
    if not told.extractions:
        task = reduce(task, data.annotated)
    judged = gather(told, task, data)
    kinds = Counter(
        f"{'right' if one.case.label else 'wrong'}, {one.kind.partition(':')[0]}" for one in judged
    )
    print(f"{told.set}: " + "; ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())), flush=True)
    found: dict[str, dict[str, str]] = {}
    for way, verdicts in (await hear(told, judged, task)).items():
        found[way] = dict(figures(judged, verdicts))
        if told.keep:
            keep(told.keep / f"{told.set}-{way}.jsonl", judged, verdicts)
    return found


def main() -> None:
    """Print a column of figures for each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", choices=[*SETS])
    parser.add_argument("--judge-model", required=True)
    parser.add_argument(
        "--cheap-model", default="", help="Reads a document once more, where no extraction is a second."
    )
    parser.add_argument("--ways", nargs="*", default=[*WAYS], choices=WAYS)
    parser.add_argument("--extractions", type=Path)
    parser.add_argument("--right", type=int, default=30)
    parser.add_argument("--wrong", type=int, default=30)
    parser.add_argument(
        "--skip", type=int, default=0, help="Documents of the set to leave out from its beginning."
    )
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--state", default=".cupel/judge")
    parser.add_argument("--keep", type=Path, help="Folder for SET-WAY.jsonl with every verdict.")
    told = parser.parse_args()
    found = asyncio.run(measure(told))
    table = Table("", *found, title=f"{told.set}, judge {told.judge_model}")
    for name in next(iter(found.values())):
        table.add_row(name, *(found[way][name] for way in found))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
