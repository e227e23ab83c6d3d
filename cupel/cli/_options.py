"""Options that several commands share, said once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, get_args, get_type_hints

import typer

from cupel.cli._env import read_beside
from cupel.cli._signals import set_stop_within
from cupel.errors import SettingError

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., None])

File = Annotated[
    Path,
    typer.Argument(
        help="Documents: CSV, TSV, JSON, JSONL (also .gz), Parquet or Excel.", callback=read_beside
    ),
]
Task = Annotated[
    str, typer.Option("--task", "-t", help="A task of prompts/; `cupel tasks` lists them; default arguments.")
]
Tasks = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        "-t",
        metavar="TASK[,TASK]",
        help="A task of prompts/, or several in one go, with commas or repeated; `cupel tasks` lists them; default arguments.",
    ),
]
PartOf = Annotated[str | None, typer.Option("--task", "-t", help="Which task, of a run of several.")]
TextColumn = Annotated[str, typer.Option(help="Column with the text.")]
IdColumn = Annotated[
    str | None,
    typer.Option(help="Column with your ids; `id` is taken where there is one, else a hash of the text."),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="NAME=COLUMN|@FILE",
        help="A further input of the task, from a column, or a file whose text is every document's; may be repeated.",
    ),
]
Gold = Annotated[
    str,
    typer.Option(
        metavar="FILE|COLUMN",
        help="What records should be: a file of labels, or a column; the column `gold` where there is one.",
    ),
]
ShowHeldOut = Annotated[
    bool,
    typer.Option(
        "--show-held-out",
        help="Also for documents the gate holds out: who has seen them, can prove no change of a prompt on them.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first so many rows; default all.")]
Concurrency = Annotated[int, typer.Option(min=1, max=4096, help="Documents worked on at once.")]
Profile = Annotated[
    str | None,
    typer.Option(
        help="Models to use: auto, groq, openai, openrouter, local, offline or demo; default auto, the first whose key is "
        "set, else offline, which asks no language model."
    ),
]
Schema = Annotated[
    Path | None, typer.Option(help="A JSON Schema file for a one-off task, instead of --task.")
]
Instructions = Annotated[str, typer.Option(help="What to extract, for a one-off task.")]
CheapModel = Annotated[
    str | None, typer.Option(help="provider:model tried first, on every document; default the profile's.")
]
StrongModel = Annotated[
    str | None, typer.Option(help="provider:model asked in doubt; `none` for none; default the profile's.")
]
JudgeModel = Annotated[
    str | None, typer.Option(help="provider:model that judges; `none` for none; default the profile's.")
]
Jury = Annotated[
    list[str] | None,
    typer.Option(
        "--jury",
        metavar="MODEL",
        help="provider:model of a further judge, of another family; may be repeated; default none.",
    ),
]
RefinerModel = Annotated[
    str | None,
    typer.Option(
        help="provider:model that turns critique into instructions; `none` for none; default the profile's."
    ),
]
AgreementModel = Annotated[
    str | None, typer.Option(help="A second cheap model whose agreement is a signal; default none.")
]
FallbackModel = Annotated[str | None, typer.Option(help="Stands in while a provider is down; default none.")]
Judge = Annotated[
    str | None,
    typer.Option(help="What is judged: auto, always or never; default auto, all that is not calibrated."),
]
JudgeWay = Annotated[
    str | None,
    typer.Option(
        help="How records are judged: criteria, items (one after the other) or adjudicate (where two readings differ); "
        "default criteria."
    ),
]
AdvisoryJudge = Annotated[
    bool | None,
    typer.Option(
        "--advisory-judge/--deciding-judge",
        help="Whether the judge only advises; default as `cupel judge-check` measured it, and unmeasured it decides.",
    ),
]
MaxUsd = Annotated[
    float | None, typer.Option(min=0, help="Hard cap on what the run may cost, in US dollars; default none.")
]
MaxUsdPerDocument = Annotated[
    float | None,
    typer.Option(min=0, help="Stop spending on one document at this many US dollars; default none."),
]
Wait = Annotated[
    str,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        help="How long to wait for a provider that is down, its fallback too, or for a daily limit, before the run "
        "ends with exit code 4; `forever` waits till it answers.",
    ),
]
PackingMin = Annotated[
    float,
    typer.Option(
        min=0.01,
        max=1,
        help="Least agreement of packed with single records: the certificate's lower bound must reach it.",
    ),
]
Bundle = Annotated[
    str,
    typer.Option(
        "--bundle",
        metavar="TASK,TASK",
        help="Tasks that share one request a document, where `cupel calibrate --bundle` certified it; default none.",
    ),
]
BundleMin = Annotated[
    float,
    typer.Option(
        min=0.01,
        max=1,
        help="Least agreement of bundled with single records, for each task: the certificate's lower bounds must reach it.",
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
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace an output that another run wrote, or that has more rows."),
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

Out = Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; the suffix says the format.")]
MaxRefinements = Annotated[
    int | None, typer.Option(help="Refinement rounds per tier, 0 for none; default 1.")
]
OutputLanguage = Annotated[
    str | None, typer.Option(help="Language of free-text fields; default the task's own.")
]
Policy = Annotated[
    str | None,
    typer.Option(
        help="Calibrated policy: `auto` (default, the newest), `none`, or a file of `cupel calibrate`."
    ),
]
Signals = Annotated[
    str | None,
    typer.Option(help="Signals that cost calls: agreement, self_verified, self_consistency; default none."),
]
Prerouter = Annotated[
    str | None,
    typer.Option(help="A learnt text router (a file) that may skip the cheap model; default none."),
]
TimeoutS = Annotated[
    float | None, typer.Option(help="Give up on one call after so many seconds; default 120.")
]
MaxRetries = Annotated[int | None, typer.Option(help="Repeats of a call after passing failures; default 6.")]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Ask anew for the documents that failed before.")
]
Packing = Annotated[
    bool,
    typer.Option(
        "--packing",
        help="Several short documents in one request, where `cupel calibrate --packing` certified it.",
    ),
]
Limits = Annotated[
    str, typer.Option(help='Your own limits, such as "groq:*=rpm:30,tpm:6000"; also CUPEL_LIMITS.')
]
Batch = Annotated[
    bool, typer.Option("--batch", help="By the providers' batch APIs (openai, groq): half price, slow.")
]
BatchPollS = Annotated[
    float, typer.Option(min=0.05, help="Seconds before the first look at a batch job; they grow.")
]
BatchDocuments = Annotated[int, typer.Option(min=1, max=50_000, help="Documents in one wave of batch jobs.")]
Engine = Annotated[str, typer.Option(help="`local`, or `dask`: partitions on a cluster.")]
Scheduler = Annotated[
    str | None, typer.Option(help="Address of a Dask scheduler; a cluster on this machine when left out.")
]
Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="A deployed server of Cupel's that does the documents, with its models and its money.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="File with the server's key, `-` to be asked for it; else the variable CUPEL_SERVER_KEY. The key itself would stay in "
        "the shell's history.",
    ),
]
Report = Annotated[bool, typer.Option(help="Write the HTML report.")]
SafeCsv = Annotated[
    bool,
    typer.Option("--safe-csv", help="In CSV and TSV, write cells that a spreadsheet would run as text."),
]
Tidy = Annotated[
    bool,
    typer.Option(
        "--tidy", help="Also write a row for each item of the records, beside the output as NAME.tidy.SUFFIX."
    ),
]
Graph = Annotated[str, typer.Option(help="Graph of langgraph.json.")]


def read_inputs(pairs: list[str] | None) -> dict[str, str | Path]:
    """`["topic=debate"]` as `{"topic": "debate"}`; a bare name stands for the column of that name, `@FILE` for a file.

    Raises:
        SettingError: For a pair without a name, or two columns for one input.
    """
    read: dict[str, str | Path] = {}
    for pair in pairs or []:
        name, _, column = (part.strip() for part in pair.partition("="))
        if not name or column == "@":
            raise SettingError(f"--input {pair!r}: write NAME=COLUMN, such as topic=debate, or NAME=@FILE")
        told = Path(column[1:]) if column.startswith("@") else column or name
        if read.setdefault(name, told) != told:
            raise SettingError(
                f"--input {name}: two columns or files, {str(read[name])!r} and {str(told)!r}; leave one out"
            )
    return read


def also(other: Callable[..., None], unused: Iterable[str]) -> Callable[[Command], Command]:
    """Have a command take options of another one that have no bearing on it, so that one word of a line can be changed.

    They are not shown by `--help`, and are passed over.

    Args:
        other: The function of the other command.
        unused: Its parameters that are taken so.
    """
    theirs, names = signature(other).parameters, tuple(unused)

    def add(command: Command) -> Command:
        @wraps(command)
        def without(*args: Any, **given: Any) -> None:
            command(*args, **{name: value for name, value in given.items() if name not in names})

        own = signature(command, eval_str=True)
        taken = [_hidden(theirs[name], other) for name in names]
        without.__signature__ = own.replace(parameters=[*own.parameters.values(), *taken])  # type: ignore[attr-defined]  # what typer reads
        without.__annotations__ = {each.name: each.annotation for each in (*own.parameters.values(), *taken)}
        return cast(Command, without)

    return add


def _hidden(option: Parameter, command: Callable[..., None]) -> Parameter:
    """The same option, without a place in the help."""
    kind, shown = get_args(get_type_hints(command, include_extras=True)[option.name])
    hidden = copy(shown)
    hidden.hidden = True
    return option.replace(annotation=Annotated[kind, hidden])


def refuse_beside(command: typer.Context, what: str, *names: str) -> None:
    """Refuse options of a command that have no effect beside what was chosen.

    Args:
        command: The command under way.
        what: What was chosen, such as `--rerun`.
        names: The parameters that would then be ignored; those left at their default are none.

    Raises:
        SettingError: Naming the first that was given.
    """
    for flag in _given(command, names):
        raise SettingError(f"{flag} would have no effect with {what}: leave one of the two out")


def refuse_without(command: typer.Context, what: str, *names: str) -> None:
    """Refuse options of a command that have an effect only beside another one.

    Raises:
        SettingError: Naming the first that was given.
    """
    for flag in _given(command, names):
        raise SettingError(f"{flag} would have no effect without {what}: give that too, or leave {flag} out")


def _given(command: typer.Context, names: tuple[str, ...]) -> Iterator[str]:
    """The flags of those parameters that somebody typed."""
    flags = {each.name: each.opts[0] for each in command.command.params}
    for name in names:
        source = command.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            yield flags[name]


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
