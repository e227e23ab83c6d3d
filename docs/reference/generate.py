"""Write cli.md and settings.md from the code: `.venv/bin/python docs/reference/generate.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import typer
from pydantic import BaseModel

from cupel.cli import app
from cupel.context import RunContext
from cupel.serve.policy import Caps, Policy, Requests

HERE = Path(__file__).parent
BAR = "\\|"  # a bar in a cell
COMMAND = "`.venv/bin/python docs/reference/generate.py`"

EXIT_CODES = {
    0: "Done; of a run: every row has an outcome.",
    1: "`eval` and `evaluate-routing`: the committed baseline is broken.",
    2: "Usage or input: an option, a file, a setting, a task, an address. `doctor`: trouble.",
    3: "The budget is reached.",
    4: "A provider, and its fallback, or a server, stayed away or at a limit for longer than `--wait`.",
    5: "A provider, or a server, refused: key, model, credit, or the schema of all first answers; or every row failed for one cause of its.",
    6: "This machine or its database: open files, memory, disk, a key or address that cannot be sent; a run log locked, gone, full or damaged.",
    70: "What nobody foresaw; the details are in a file it names.",
    130: "Interrupted.",
}

VARIABLES = {
    "Providers: where they are, and who pays": {
        "GROQ_API_KEY": "Key of Groq. The first provider with a key decides where `profile` is `auto`.",
        "OPENAI_API_KEY": "Key of OpenAI.",
        "OPENROUTER_API_KEY": "Key of OpenRouter.",
        "LOCAL_API_KEY": "Key of a server of one's own, where it asks for one.",
        "GROQ_BASE_URL": "Another address than Groq's own.",
        "OPENAI_BASE_URL": "Another address than OpenAI's own.",
        "OPENROUTER_BASE_URL": "Another address than OpenRouter's own.",
        "CUPEL_LOCAL_BASE_URL": "Address of a server of one's own (Ollama, vLLM, llama.cpp), for `local:…` models.",
        "LOCAL_BASE_URL": "The same, where `CUPEL_LOCAL_BASE_URL` is not set.",
        "CUPEL_ENDPOINT_NAME": (
            "Another address is another model: its answers, limits and calibrations are its own, told apart by host, port and "
            "path. A name here stands for the address instead, so that it may move: `lab`, or `local=den, openai=lab`; "
            "`default` is the provider itself, behind a proxy. List prices and what a model can do go by the model's name."
        ),
        "OPENAI_PROJECT_ID": "Sent to OpenAI, and to nobody else.",
        "OPENAI_CUSTOM_HEADERS": "Further headers for OpenAI, `Name: value`, one a line.",
        "SSL_CERT_FILE": "Certificates to trust in place of the usual ones.",
        "SSL_CERT_DIR": "The same, as a folder.",
        "CUPEL_CAPABILITIES": "What a model can do, where Cupel does not know: `local:*=json_object+logprobs;…`.",
        "CUPEL_TRUST": "Folders whose projects may run their own code, for images and workers; never taken from a `.env`.",
        "XDG_CONFIG_HOME": "Where your configuration is; which projects you trust is kept there.",
        "APPDATA": "The same on Windows.",
        "HOME": "Your home: the search for a project ends there, and `.config` in it is used where neither of these is set.",
        "USERPROFILE": "The same on Windows.",
        "CUPEL_PRICES": (
            "Prices of one's own, US dollars per million tokens: `provider:model=IN/OUT`, with commas between. `/CACHED` and then "
            "`/WRITTEN` behind it are for prompt tokens read from a provider's cache (without it: as fresh ones) and written to it "
            "(without it: 1.25 times a fresh one). What a provider says it billed goes before any price."
        ),
        "CUPEL_GGUF_CONTEXT": "Tokens of a prompt with its reply, for `gguf:…` models; 8192 otherwise, never more than a model was trained on.",
        "CUPEL_GGUF_AT_ONCE": "Requests a `gguf:…` model generates together; 4 otherwise. Each takes memory for a whole context.",
        "CUPEL_GGUF_THREADS": "Threads it computes with; otherwise as many as the process has cores.",
        "CUPEL_GGUF_GPU_LAYERS": "Layers it puts on a graphics card, where xllamacpp was built for one; otherwise left to it.",
        "CUPEL_GGUF_CHAT_TEMPLATE": "In place of the file's own: one of llama.cpp's names (`chatml`), or a file of Jinja.",
        "CUPEL_LIMITS": "Limits of one's own: `groq:*=rpm:30,tpm:6000; openai:gpt-4o-mini=rpd:10000`.",
    },
    "A deployed server": {
        "CUPEL_SERVER_KEY": "The key that `--server` and commands that ask a server show, from `cupel serve keys create`; `--key FILE` goes before it.",
    },
    "State": {
        "CUPEL_DATABASE_URL": "The run log in a PostgreSQL, for several machines; else SQLite in `.cupel/`.",
        "CUPEL_RUN_LOG_WAIT_S": "Seconds for which a run log is waited for that is locked, full or gone; 60 otherwise.",
    },
    "Recorded answers": {
        "CUPEL_RECORD_BASE_URL": "An OpenAI-compatible address: what a `recorded:` model has no answer to is asked there, and kept.",
        "CUPEL_RECORD_API_KEY": "Its key.",
    },
    "LangSmith (tracing also reads `LANGCHAIN_…`, the older spelling)": {
        "LANGSMITH_TRACING": "`true` sends traces, where there is a key too; a key alone sends nothing.",
        "LANGSMITH_TRACING_V2": "The same, in an older spelling.",
        "LANGSMITH_API_KEY": "Key of LangSmith.",
        "LANGSMITH_CONTROL_PLANE_API_KEY": "Empty, as `make dev` leaves it: a LangGraph server does not trace by itself where it finds a key.",
        "LANGSMITH_ENDPOINT": "Another address than LangSmith's own.",
        "LANGSMITH_PROJECT": "Project the traces go to; `cupel` otherwise.",
        "CUPEL_TRACE_MASK": "What is replaced before a trace leaves: `personal` (mail, IBAN, telephone) or a pattern.",
    },
    "This machine": {
        "COLUMNS": "Width of what is printed where standard output is no terminal.",
        "ARROW_DEFAULT_MEMORY_POOL": "Arrow's memory; the command line sets `system` where nothing is set.",
        "CUPEL_BENCH_DATA": "Folder with the data that experiments and benchmarks name.",
    },
}
"""Every variable Cupel reads besides the settings; tests/unit/test_references.py holds the list to the code."""


def cli_page() -> str:
    """The page on the command line: every command with its arguments, options, defaults and ranges."""
    group: Any = typer.main.get_command(app)
    return "\n".join(
        [
            "# The command line",
            "",
            f"Written by {COMMAND} from what `cupel COMMAND --help` says. `cupel --version` prints the version.",
            "",
            f"{group.epilog} What a setting means is in [settings.md](settings.md).",
            "",
            *table(("Exit code", "When"), EXIT_CODES.items()),
            "",
            "After 3, 4 and 130 the same command goes on; after 5 and 6 too, once what it names is mended.",
            *(
                line
                for name, command in group.commands.items()
                for line in sections(f"cupel {name}", command)
            ),
            "",
        ]
    )


def sections(name: str, command: Any) -> Iterator[str]:
    """A command's part of the page; of a command with further ones, theirs."""
    if hasattr(command, "commands"):
        for sub, child in command.commands.items():
            yield from sections(f"{name} {sub}", child)
        return
    context = command.make_context(name, [], resilient_parsing=True)
    yield from ("", f"## {name}", "", " ".join(command.help.split()), "")
    yield f"    {' '.join([name, *command.collect_usage_pieces(context)])}"
    records = (parameter.get_help_record(context) for parameter in command.params)
    rows = [row(record) for record in records if record]  # a hidden one has none
    if rows:
        yield from ("", *table(("", "Meaning", "Default, range"), rows))


def row(record: tuple[str, str]) -> tuple[str, str, str]:
    """What help says of a parameter, its default and range in a cell of their own."""
    option, said = record
    meaning, _, extra = said.partition("  [")
    return f"`{option}`", meaning, extra.removesuffix("]").removeprefix("default: ")


def settings_page() -> str:
    """The page on settings: the fields of `RunContext`, then the other variables Cupel reads."""
    return "\n".join(
        [
            "# Settings and variables",
            "",
            f"Written by {COMMAND} from `RunContext` in [cupel/context.py](../../cupel/context.py).",
            "",
            "What is set comes, weakest first, from the default, the profile, the variable (also from the project's",
            "`.env`), the option of a command or the argument of `cupel.enrich`. Studio shows the same settings as a",
            "form, each beside its step. Options that are no settings are in [cli.md](cli.md).",
            "",
            "## Settings of a run",
            "",
            *table(
                ("Setting", "Variable", "`cupel run`", "Default", "Range", "Step", "Meaning"), setting_rows()
            ),
            *(
                line
                for title, variables in VARIABLES.items()
                for line in (
                    "",
                    f"## {title}",
                    "",
                    *table(("Variable", "Meaning"), ((f"`{k}`", v) for k, v in variables.items())),
                )
            ),
            "",
            "A proxy is taken from `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, an organisation for OpenAI from",
            "`OPENAI_ORG_ID`, as their own clients take them.",
            "",
        ]
    )


def setting_rows() -> Iterator[tuple[str, ...]]:
    """A row for every field of `RunContext`."""
    run = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]  # it is a group
    # `--jury` names the models of the jury; when it sits is only a variable
    options = {{"jury": "jury_models"}.get(option.name, option.name): option.opts[0] for option in run.params}
    for name, field in RunContext.model_fields.items():
        steps = (field.json_schema_extra or {}).get("langgraph_nodes", [])  # type: ignore[union-attr]  # a dict
        default = json.dumps(field.default) if isinstance(field.default, bool) else field.default
        yield (
            f"`{name}`",
            f"`CUPEL_{name.upper()}`",
            f"`{options[name]}`" if name in options else "",
            "" if default in ("", (), None) else f"`{default}`",
            span(field),
            ", ".join(f"`{step}`" for step in steps),
            field.description or "",
        )


def span(field: Any) -> str:
    """The values a setting may have, where they are few or bounded."""
    choices = get_args(field.annotation)
    if all(isinstance(choice, str) for choice in choices) and choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    words = {"ge": "from", "gt": "above", "le": "up to", "lt": "below"}
    bounds = [
        f"{word} {getattr(bound, key):g}"
        for bound in field.metadata
        for key, word in words.items()
        if getattr(bound, key, None) is not None
    ]
    return " ".join(bounds)


def table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A table as Markdown has it."""
    cells = [str(cell) for cell in head]
    yield f"| {' | '.join(cells)} |"
    yield "|" + "---|" * len(cells)
    for each in rows:
        yield f"| {' | '.join(str(cell).replace('|', BAR) for cell in each)} |"


SERVE = """# What a server's owner lets callers do: serve.toml

{made}

Without the file a server lets its own machine do everything, so that Studio works, and answers nobody else. With it, or for whoever comes from
another address, what it does not say is not allowed. It lies beside langgraph.json, is read as the server starts, and a server does not start with one that is wrong; `cupel serve check` says what it allows. With the
file the server's own machine is a caller like others: forms of Studio that bring prompts are refused there, so work on prompts at a server without it.

```toml
graphs = ["enrich"]
tasks = ["arguments", "stance"]
profiles = ["openai"]
longest_text = 50_000

[requests]
schemas = true

[files]
careful = ".cupel/policies/stance.json"

[caps]
usd_per_request = 0.02
usd_per_key = 2.0
usd_per_day = 20.0
documents_per_key = 2_000
documents_per_day = 10_000
```

{tables}

No request names a path, whatever is allowed: `policy`, `prerouter`, `documents`, `gold` and `candidate` take names of `[files]`, and `gguf:` and `recorded:` models
are taken where they stand in `models`, letter for letter. A model is allowed too where a profile that is allowed comes to it, with the server's own `CUPEL_…_MODEL`. A `$ref` leads nowhere but into its schema.

## Keys

```
cupel serve keys create ada          # prints the key, this once; it is sent as `x-api-key`, or as `authorization: Bearer …`
cupel serve keys create prometheus --metrics
cupel serve keys list                # with documents and dollars of today
cupel serve keys revoke ada          # at once, for every process on the run log
```

A key owns the threads, runs and reviews that are made with it; to others they are not there. The run log has its hash alone. As soon as a key was ever made
nobody comes in without one, Studio neither (its connection takes a header of one's own): revoking the last one closes the server.

**Behind a proxy** the server sees the proxy. Without keys only requests from its own machine are answered, and one with a header such as `X-Forwarded-For`, `Forwarded` or `Via`
counts as come from elsewhere; a proxy on the same machine that sends none of them would let everybody pass for the machine itself. So make a key before a proxy is
opened, and have it send `X-Forwarded-For`, as nginx (`proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`), Caddy and Traefik do.

| status | when |
|---|---|
| 401 | no key, an unknown one, one that was revoked |
| 403 | a graph, task, model, profile, prompt, schema, file, route or webhook that is not for callers; without keys, another machine |
| 404 | a thread, run or assistant of others |
| 413 | a text, an answer or a list of documents that is too long |
| 409 | on Aegra, a run with `multitask_strategy: reject` on a thread where one is under way |
| 422 | a `$ref` to another place, a language that is none |
| 429 | with `retry-after`: a cap of documents, or dollars, of the key's day or everybody's; a run that reaches the cap on the way ends as `needs_review` or `failed` and says so |

A refusal is `{{"detail": "…"}}`, and what it had taken of a day is given back. What an assistant of a caller's own comes to with the request over it is held against the same rules. A request may cost `usd_per_request`: it is held to `max_usd_per_document`, or a campaign's `max_usd`. What a model costs must be known, or it is asked
nothing: `cupel serve check` names those it is not known of.

Of their own threads callers see every call, with the prompts as they were sent. Whoever may start campaigns changes the prompts of all. Answers are shared: what was asked once, by whomever, is not paid again, and who asks the very same learns by its speed that it was asked.

## Tools

`POST /mcp` (Model Context Protocol, Streamable HTTP): a tool for each graph that is allowed, its `task` a choice of those allowed. An answer is JSON of at most 3 kB
with record, status, reasons and evidence, and says what it left out; `"detail": "full"` brings all there is.

## Routes for callers

LangGraph's `/assistants` (reading; with `assistants` more), `/threads`, `/runs` and what hangs on them, `/mcp`, `/cupel/offer`, `/cupel/threads/…`, `/info`, `/docs`, `/openapi.json`. Closed are crons, the
store, A2A, sockets, and whatever a server's version adds. Open to anybody are `/ok` and `/cupel/ok`, which is 503, with the reason, as long as the run log cannot be written (on Aegra `/ok` is the
same; there `/live` and `/ready` are open too). All of this page holds on [Aegra](../../deploy/README.md) as it does on LangGraph's servers; there a request with a `webhook` is always refused.
"""


def serve_page() -> str:
    """What may stand in serve.toml, from the forms it is read with."""
    made = f"<!-- Made by {COMMAND}; change docs/reference/generate.py or cupel/serve/policy.py. -->"
    forms = (("", Policy), ("[requests]", Requests), ("[caps]", Caps))
    tables = "\n\n".join(
        "\n".join(
            [
                *([f"`{name}`", ""] if name else []),
                *table(("Entry", "Without it", "Meaning"), entry_rows(form)),
            ]
        )
        for name, form in forms
    )
    return SERVE.format(made=made, tables=tables)


def entry_rows(form: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """A row for every entry of a form that is no form itself."""
    for name, field in form.model_fields.items():
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            default = field.get_default(call_default_factory=True)
            shown = "none" if default in ((), {}) else json.dumps(default)
            yield f"`{name}`", shown, field.description or ""


PAGES = {"cli.md": cli_page, "settings.md": settings_page, "serve.md": serve_page}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (HERE / file).write_text(page(), encoding="utf-8")
