"""`cupel evaluate-routing`: replay routing policies on logged responses and say what they would have saved."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cupel.errors import CupelError, SettingError
from cupel.files import SHARED, read_text, write_whole


def evaluate_routing(
    sources: Annotated[
        list[Path],
        typer.Argument(help="Experiments (.toml) or rows of your own runs (.csv, .jsonl, .parquet)."),
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with the data an experiment names.", envvar="CUPEL_BENCH_DATA"),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page with curves and diagrams there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Fold seeds to average trained policies over.")] = 1,
    only: Annotated[str, typer.Option(help="Evaluate only sets whose name contains this.")] = "",
    policy: Annotated[str, typer.Option(help="Replay only policies whose name contains this.")] = "",
    learn: Annotated[bool, typer.Option(help="Also replay policies that are trained.")] = True,
    intervals: Annotated[bool, typer.Option(help="Bootstrap intervals of APGR and saving.")] = True,
    reference: Annotated[
        Path | None, typer.Option(help="A table of reference figures to compare with (CSV).")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Folder of committed figures; worse ones end with exit code 1.")
    ] = None,
    save_baseline: Annotated[bool, typer.Option(help="Write the figures into --baseline instead.")] = False,
) -> None:
    """Say what any routing would have saved.

    Routers and cascades are replayed on documents that both models have answered.

    Every policy is shown beside random mixing, always-weak, always-strong and the oracle, with all calls billed.
    """
    from cupel.api import evaluate_routing as replay
    from cupel.report import routing_page

    if save_baseline and baseline is None:
        raise SettingError("--save-baseline needs --baseline FOLDER to write to")
    routing = replay(
        *sources, data=data, seeds=seeds, only=only, policy=policy, learn=learn, intervals=intervals,
        tell=lambda name: typer.echo(f"{name} …", err=True),
    )  # fmt: skip
    every, found = routing.every, list(routing.sets.values())
    if as_json:
        print(json.dumps(routing.to_json(), sort_keys=True))
    else:
        _print_tables(every)
    if html is not None:
        write_whole(html, routing_page(every))
        typer.echo(f"page: {html}", err=True)
    missed = _compare(every, reference) if reference is not None else 0
    if baseline is not None:
        missed += _baselines(sources, found, baseline, save=save_baseline)
    if missed:
        raise typer.Exit(1)


def _print_tables(every: Sequence[Any]) -> None:
    from rich.table import Table

    from cupel.cli._console import open_console
    from cupel.report import COLUMNS, number

    console = open_console()
    if not console.is_terminal:
        console.width = 200
    for each in every:
        gap = "" if each.has_gap else "  no gap: the strong model is not better"
        table = Table(
            title=f"{each.name} (n {each.n}, weak {each.weak:.3f}, strong {each.strong:.3f}){gap}",
            title_justify="left",
        )
        table.add_column("policy")
        for name in COLUMNS:
            table.add_column(name, justify="right")
        for line in each.lines:
            cells = ["–" if line.skipped else number(line.figures.get(name)) for name in COLUMNS]
            table.add_row(line.method + (f" ({line.skipped})" if line.skipped else ""), *cells)
        console.print(table)


def _compare(every: Sequence[Any], reference: Path) -> int:
    """Print what differs from the reference table; the number of figures that are off and not better."""
    from cupel.evaluation import compare_with_reference

    compared = compare_with_reference(every, reference)
    for trained in (False, True):
        part = [each for each in compared if each.trained == trained]
        off = [each for each in part if not each.reproduced]
        worse = [each for each in off if not each.not_worse]
        among = [each for each in worse if each.among_seeds]
        typer.echo(
            f"{'trained (within .02)' if trained else 'untrained (within .001)'}: {len(part) - len(off)} of {len(part)} "
            f"reproduced, {len(off) - len(worse)} better, {len(worse)} worse ({len(among)} within the range of the seeds)"
        )
        for each in off:
            word = "better" if each.not_worse else "worse, within the seeds" if each.among_seeds else "worse"
            now = "none" if each.measured is None else f"{each.measured:.4f}"
            typer.echo(f"  {each.name} · {each.method}: {each.figure} {each.reference:.4f} → {now} ({word})")
    return sum(not each.not_worse and not (each.trained and each.among_seeds) for each in compared)


def _baselines(sources: Sequence[Path], found: Sequence[Sequence[Any]], folder: Path, *, save: bool) -> int:
    from cupel.evaluation import regressions, to_baseline

    worse = 0
    for path, evaluations in zip(sources, found, strict=True):
        target = folder / f"{path.stem}.json"
        if save:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(to_baseline(evaluations), indent=1, sort_keys=True)
            write_whole(target, text + "\n", permissions=SHARED)
            typer.echo(f"baseline: {target}", err=True)
        elif target.is_file():
            sentences = regressions(evaluations, json.loads(read_text(target)))
            worse += len(sentences)
            for sentence in sentences:
                typer.echo(f"worse: {sentence}")
        else:
            raise SettingError(f"{target}: no baseline for {path.name}; write one with --save-baseline")
    return worse


if __name__ == "__main__":
    try:
        typer.run(evaluate_routing)
    except CupelError as error:
        typer.secho(str(error), fg="red", err=True)
        sys.exit(error.exit_code)
