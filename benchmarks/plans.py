"""Does what a run takes lie within what its plan said? Eight mixes of files, through the real graph.

    python benchmarks/plans.py [SEEDS]

Scripted models: how often they are in doubt, rejected and refined is drawn for each document; nothing is asked of
anybody, and no figure here says anything about quality. A plan is made as `cupel plan` makes it, from a file and the run
log as it stands; the run is the runner's own.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from cupel.context import RunContext
from cupel.project import Project, starter_folder
from cupel.runlog import open_run_log
from cupel.runs import Runner, plan_run
from cupel.tables import open_table
from cupel.task import load_task
from tests.integration.cascade import ACCEPTS, LOOK_AT_THE_END, MODELS, REJECTS, TEXT, job, models, record

LEAST = 7 / 8


@dataclass(frozen=True, slots=True)
class World:
    """How documents fare: chances of each, drawn per document and round."""

    doubt: float
    """That the cheap record is in doubt, and escalates."""

    rejection: float
    """That the judge rejects a record."""


@dataclass(frozen=True, slots=True)
class Mix:
    """A file, and what was run before it."""

    name: str
    world: World
    texts: Callable[[], list[str]]
    before: Sequence[tuple[World, Callable[[], list[str]]]] = ()


def speeches(count: int, start: int = 0) -> Callable[[], list[str]]:
    """That many different texts."""
    return lambda: [f"{TEXT} This is speech number {start + n}." for n in range(count)]


def with_waste(count: int, start: int = 0) -> Callable[[], list[str]]:
    """Different texts, with as many that are empty or repeat one of them."""

    def texts() -> list[str]:
        good = speeches(count, start)()
        return [*good, *[""] * (count // 4), *good[: count - count // 4]]

    return texts


EASY, USUAL, HARD = World(0.05, 0.05), World(0.3, 0.2), World(0.9, 0.6)
REFINING = World(0.1, 0.7)
HARDER = World(0.42, 0.28)

MIXES = (
    Mix("first run, easy", EASY, speeches(40)),
    Mix("first run, hard", HARD, speeches(24)),
    Mix("first run, judge that refines", REFINING, speeches(40)),
    Mix("first run, empty and repeated rows", USUAL, with_waste(30)),
    Mix("learnt from 40, same kind", USUAL, speeches(80, 100), [(USUAL, speeches(40))]),
    Mix("learnt from 5", USUAL, speeches(60, 100), [(USUAL, speeches(5))]),
    Mix("learnt from 40, harder now", HARDER, speeches(60, 100), [(USUAL, speeches(40))]),
    Mix(
        "learnt from repeated rows, judge that refines",
        REFINING,
        with_waste(40, 100),
        [(REFINING, with_waste(30))],
    ),
)


def scripts(world: World, seed: int) -> dict[str, Any]:
    """Models that fare as the world says."""

    def chance(*about: object) -> float:
        return random.Random(json.dumps([seed, *map(str, about)])).random()

    rounds: dict[tuple[str, int], int] = {}

    def extract(tier: str) -> Callable[[Any, Any], Any]:
        def answer(messages: Any, _schema: Any) -> Any:
            number = _number(messages)
            rounds[tier, number] = rounds.get((tier, number), 0) + 1
            in_doubt = tier == "cheap" and chance("doubt", number) < world.doubt
            return record(
                stance=None if in_doubt else "support", matter=f"housing {tier} {rounds[tier, number]}"
            )

        return answer

    def judge(messages: Any, _schema: Any) -> Any:
        shown = re.findall(r"housing (\w+ \d+)", messages[-1]["content"])
        return REJECTS if chance("judge", _number(messages), *shown) < world.rejection else ACCEPTS

    return {
        "cheap": extract("cheap"),
        "strong": extract("strong"),
        "judge": judge,
        "refiner": lambda *_: LOOK_AT_THE_END,
    }


def _number(messages: Any) -> int:
    return int(re.findall(r"speech number (\d+)", messages[-1]["content"])[0])


def take(mix: Mix, seed: int) -> tuple[Any, dict[str, float]]:
    """The plan of a mix, and what its run then took."""
    with tempfile.TemporaryDirectory() as folder:
        project = Project(starter_folder(), Path(folder) / ".cupel")
        for number, (world, texts) in enumerate(mix.before):
            _run(project, Path(folder), f"before{number}", world, texts(), seed=seed + 1000)
        path = _write(Path(folder), "now", mix.texts())
        run_log = open_run_log(project.state, {})
        task, context = load_task("arguments", project.prompts), RunContext(**MODELS)
        with models():
            plan = asyncio.run(
                plan_run(open_table(path, default_id="id"), task, context, run_log=run_log, env={}, seed=seed)
            )
        run_log.close()
        return plan, _run(project, Path(folder), "now", mix.world, mix.texts(), seed=seed)


def _write(folder: Path, name: str, texts: Sequence[str]) -> Path:
    path = folder / f"{name}.jsonl"
    path.write_text(
        "".join(json.dumps({"id": f"{name}{n}", "text": text}) + "\n" for n, text in enumerate(texts))
    )
    return path


def _run(
    project: Project, folder: Path, name: str, world: World, texts: Sequence[str], *, seed: int
) -> dict[str, float]:  # fmt: skip
    table = open_table(_write(folder, name, texts), default_id="id")

    async def run() -> dict[str, float]:
        async with Runner(replace(job(project), input_name=name), project, env={}) as runner:
            _ = [outcome async for _, outcome in runner.outcomes(table)]
            used = runner.progress.usage.to_json(16).values()
        return {name: sum(role[name] for role in used) for name in ("calls", "input_tokens", "output_tokens")}

    with models(**scripts(world, seed)):
        return asyncio.run(run())


def main() -> int:
    """Print every mix with its plan and what it took; 1 where too few lie within."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    print(f"{'mix':<48}{'planned calls':>20}{'taken':>8}   within (calls)")
    held = 0
    for seed in range(seeds):
        for mix in MIXES:
            plan, taken = take(mix, seed)
            low, high = plan.calls.low, plan.calls.high
            within = low <= taken["calls"] <= high
            held += within
            print(
                f"{mix.name:<48}{f'{plan.calls.expected:.0f} ({low:.0f}–{high:.0f})':>20}{taken['calls']:>8}   {'yes' if within else 'NO'}"
            )
    print(f"\n{held} of {seeds * len(MIXES)} within their 95 % interval; the bar is 7 of 8")
    return int(held < LEAST * seeds * len(MIXES))


if __name__ == "__main__":
    sys.exit(main())
