"""Do our metrics agree with an independent scorer? Every figure, on every gold set, to 1e-9.

    CUPEL_BENCH_DATA=… CUPEL_BENCH_DATASCORE=… python benchmarks/metrics_agreement.py [SET …]

Answers are the scorer's own baselines and oracle, and the gold perturbed: items dropped, repeated, relabelled,
moved, quoted instead of placed, invented, or the whole answer missing.
"""

from __future__ import annotations

import importlib.util
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from cupel.metrics.evaluation import evaluate

TOLERANCE = 1e-9
SEEDS = 3


def main() -> int:
    """Compare every set and print one line each; 1 when any figure differs."""
    data, tools = Path(os.environ["CUPEL_BENCH_DATA"]), Path(os.environ["CUPEL_BENCH_DATASCORE"])
    scorer, baselines = _load(tools / "score.py"), _load(tools / "baselines.py")
    differing = 0
    for name in sys.argv[1:] or sorted(scorer.KINDS):
        began = time.perf_counter()
        gold = scorer.load(data / name / "dev.jsonl")
        figures = worst = 0
        faults: list[str] = []
        for label, answers in answer_sets(name, gold, baselines):
            compared, worst_here, faults_here = compare(scorer, name, gold, answers)
            figures, worst = figures + compared, max(worst, worst_here)
            faults += [f"{label}: {fault}" for fault in faults_here]
        took = time.perf_counter() - began
        print(f"{name:30} {figures:6} figures, greatest difference {worst:.1e}, {took:.1f} s")
        print("\n".join(faults[:10]), end="\n" if faults else "")
        differing += len(faults)
    print("agrees" if not differing else f"{differing} figures differ")
    return int(differing > 0)


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compare(
    scorer: ModuleType, name: str, gold: list[Any], answers: list[Any]
) -> tuple[int, float, list[str]]:
    kinds, headline = scorer.KINDS[name]
    theirs = scorer.score(name, gold, answers, boot=20)
    ours = evaluate(gold, answers, kinds=kinds, headline=headline, draws=20)
    pairs = list(_flat({kind: theirs[kind] for kind in kinds}, ours.figures))
    pairs += [("value", theirs["value"], ours.value), ("coverage", theirs["coverage"], ours.answered)]
    pairs += [
        ("groups", theirs["groups"], ours.groups),
        ("unknown_ids", theirs["unknown_ids"], ours.unknown_ids),
    ]
    pairs += [(f"interval {end}", theirs["ci95"][end], ours.interval[end]) for end in (0, 1)]
    differences = [abs(a - b) if _is_number(a) and _is_number(b) else float("inf") for _, a, b in pairs]
    faults = [
        f"{path}: {a} against {b}"
        for (path, a, b), difference in zip(pairs, differences, strict=True)
        if not difference <= TOLERANCE
    ]
    return len(pairs), max(differences), faults


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _flat(theirs: Any, ours: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(theirs, Mapping):
        for key in theirs.keys() | ours.keys():
            yield from _flat(
                theirs.get(key), ours.get(key) if isinstance(ours, Mapping) else None, f"{path}.{key}"
            )
    else:
        yield path, theirs, ours


def answer_sets(name: str, gold: list[Any], baselines: ModuleType) -> Iterator[tuple[str, list[Any]]]:
    for baseline in baselines.NAMES[name]:
        yield baseline, baselines.run(name, baseline, gold)
    oracle = baselines.run(name, "oracle", gold)
    for seed in range(SEEDS):
        drawing = random.Random(seed)
        texts = {document["id"]: document["text"] for document in gold}
        perturbed = [_perturbed(answer, texts[answer["id"]], drawing) for answer in oracle]
        kept = [answer for answer in perturbed if drawing.random() > 0.05]
        yield f"perturbed {seed}", [*kept, {"id": "of no document"}]


def _perturbed(answer: dict[str, Any], text: str, drawing: random.Random) -> dict[str, Any]:
    made = {"id": answer["id"]}
    for field, value in answer.items():
        if field in _PERTURB and drawing.random() > 0.02:
            made[field] = _PERTURB[field](value, text, drawing)
    if isinstance(made.get("sentences"), list) and drawing.random() < 0.3:
        made["scores"] = [drawing.choice([0, 0.5, drawing.random()]) for _ in answer["sentences"]]
    if "spans" in made and "sentences" in made and drawing.random() < 0.5:
        del made["sentences"]  # then read off the spans
        made.pop("scores", None)
    return made


def _spans(spans: list[Any], text: str, drawing: random.Random) -> list[Any]:
    made = []
    for original in spans:
        span = dict(original)
        span.setdefault("text", text[span["start"] : span["end"]])
        change = drawing.random()
        if change < 0.1:
            continue
        if change < 0.2:
            made.append(dict(span))
        elif change < 0.3:
            span["label"] = drawing.choice([*(other["label"] for other in spans), "Invented"])
        elif change < 0.5:
            span["start"] = max(0, span["start"] + drawing.randint(-30, 10))
            span["end"] = min(len(text) + 1, span["end"] + drawing.randint(-5, 30))
            span.pop("text")
        elif change < 0.7:
            del span["start"], span["end"]
            span["text"] = drawing.choice(
                [str, str.upper, lambda t: t.replace(" ", "  "), lambda t: f"“{t}”"]
            )(span["text"])
        elif change < 0.8:
            span["start"], span["end"] = span["start"] + 1, span["end"] + 1
        elif change < 0.85:
            span = {"text": "words that no document holds", "label": span["label"]}
        made.append(span)
    drawing.shuffle(made)
    return made


def _sentences(labels: list[str], _: str, drawing: random.Random) -> Any:
    made = [
        drawing.choice([*labels, "Other", label.upper(), None]) if drawing.random() < 0.4 else label
        for label in labels
    ]
    if drawing.random() < 0.2:
        return {str(at): label for at, label in enumerate(made) if drawing.random() > 0.1}
    return made[: drawing.randint(0, len(made))] if drawing.random() < 0.2 else made


def _evidence_labels(labels: list[str], _: str, drawing: random.Random) -> list[str | None]:
    return [drawing.choice([label, "supports", "refutes", None]) for label in labels][: drawing.randint(0, 5)]


def _label(label: str, _: str, drawing: random.Random) -> Any:
    return drawing.choice(
        [label, label, label.upper().replace(" ", "_"), "support", "against", "other", None]
    )


def _labels(labels: list[str], _: str, drawing: random.Random) -> list[str]:
    made = [label for label in labels if drawing.random() > 0.2]
    return [*made, drawing.choice(["joy", "neutral", "SADNESS", "other"])] if drawing.random() < 0.3 else made


def _relations(relations: list[Any], _: str, drawing: random.Random) -> list[Any]:
    made = [dict(relation) for relation in relations if drawing.random() > 0.2]
    for relation in made:
        if drawing.random() < 0.3:
            relation[drawing.choice(["head", "tail", "label"])] = drawing.choice(["e0", "e1", "e99", "Kill"])
    return made


def _matches(matches: dict[str, Any], _: str, drawing: random.Random) -> dict[str, Any]:
    points = sorted({point for given in matches.values() for point in given}) or ["kp"]
    return {
        argument: [
            point if drawing.random() > 0.2 else drawing.choice([*points, "kp_none"]) for point in given
        ]
        for argument, given in matches.items()
        if drawing.random() > 0.1
    }


def _keyphrases(phrases: list[str], text: str, drawing: random.Random) -> list[str]:
    made = [
        phrase.title() if drawing.random() < 0.3 else phrase for phrase in phrases if drawing.random() > 0.2
    ]
    return [*made, *made[:1], *drawing.sample(text.split(), min(4, len(text.split())))]


def _summary(summary: str, text: str, drawing: random.Random) -> str:
    words = [*summary.split(), *text.split()[:40]]
    return " ".join(drawing.sample(words, drawing.randint(0, len(words))))


_PERTURB: Mapping[str, Callable[[Any, str, random.Random], Any]] = {
    "spans": _spans,
    "sentences": _sentences,
    "label": _label,
    "evidence_labels": _evidence_labels,
    "labels": _labels,
    "ekman": _labels,
    "relations": _relations,
    "matches": _matches,
    "keyphrases": _keyphrases,
    "summary": _summary,
}

if __name__ == "__main__":
    raise SystemExit(main())
