"""Options that several commands share, said once."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from cupel.cli._signals import set_stop_within

T = TypeVar("T")

File = Annotated[Path, typer.Argument(help="Documents: CSV, TSV, JSON, JSONL (also .gz) or Parquet.")]
Task = Annotated[str, typer.Option("--task", "-t", help="A task of prompts/; `cupel tasks` lists them.")]
TextColumn = Annotated[str, typer.Option(help="Column with the text.")]
IdColumn = Annotated[
    str | None,
    typer.Option(help="Column with your ids; `id` is taken where there is one, else a hash of the text."),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="NAME=COLUMN", help="A further input of the task; may be repeated."),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first so many rows.")]
Concurrency = Annotated[int, typer.Option(min=1, max=4096, help="Documents worked on at once.")]
Profile = Annotated[
    str | None,
    typer.Option(help="Models to use: auto, groq, openai, openrouter, local, offline or demo."),
]
Schema = Annotated[
    Path | None, typer.Option(help="A JSON Schema file for a one-off task, instead of --task.")
]
Instructions = Annotated[str, typer.Option(help="What to extract, for a one-off task.")]
CheapModel = Annotated[str | None, typer.Option(help="provider:model tried first.")]
StrongModel = Annotated[str | None, typer.Option(help="provider:model asked in doubt.")]
JudgeModel = Annotated[str | None, typer.Option(help="provider:model that judges.")]
Jury = Annotated[
    list[str] | None,
    typer.Option(
        "--jury",
        metavar="MODEL",
        help="provider:model of a further judge, of another family; may be repeated.",
    ),
]
RefinerModel = Annotated[
    str | None, typer.Option(help="provider:model that turns critique into instructions.")
]
AgreementModel = Annotated[str | None, typer.Option(help="A second cheap model whose agreement is a signal.")]
FallbackModel = Annotated[str | None, typer.Option(help="Stands in while a provider is down.")]
Judge = Annotated[str | None, typer.Option(help="What is judged: auto, always or never.")]
MaxUsd = Annotated[
    float | None, typer.Option(min=0, help="Hard cap on what the run may cost, in US dollars.")
]
PackingMin = Annotated[
    float,
    typer.Option(
        min=0.01,
        max=1,
        help="Least agreement of packed with single records: the certificate's lower bound must reach it.",
    ),
]
NearDuplicates = Annotated[
    float | None,
    typer.Option(
        min=0.8,
        max=1,
        help="Similarity from which a text takes over an earlier one's record, such as 0.95: the share of "
        "three-word sequences they have in common. Equal texts always do.",
    ),
]
RunId = Annotated[
    str | None, typer.Option("--run", metavar="RUN_ID", help="A run's id, or enough of its beginning.")
]
StopWithin = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="SECONDS",
        callback=set_stop_within,
        help="After Ctrl-C, let what is in flight finish for so long; a second Ctrl-C ends it at once.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")
]


def read_inputs(pairs: list[str] | None) -> dict[str, str]:
    """`["topic=debate"]` as `{"topic": "debate"}`; a bare name stands for the column of that name."""
    read = (pair.partition("=") for pair in pairs or [])
    return {name: column or name for name, _, column in read}


def settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a command's options (its `locals()`) that set a run and were given."""
    from cupel.context import RunContext

    fields = RunContext.model_fields
    return {name: value for name, value in options.items() if name in fields and value not in (None, [])}


def of(kind: type[T], options: Mapping[str, Any], **computed: Any) -> T:
    """A command's options (its `locals()`) as what its work is told; what is no field of that goes to `settings`."""
    own = {name: options[name] for name in signature(kind).parameters if name in options}
    rest = {name: value for name, value in options.items() if name not in own}
    return kind(**{**own, "settings": settings(rest), **computed})
