"""Checks of what a run would ask: keys, the model of every role, tracing, and a tiny call on request."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from cupel.api.doctor_checks import Check
from cupel.context import run_context
from cupel.errors import CupelError, SettingError
from cupel.models import (
    ROLES,
    SITES,
    CallSettings,
    ModelId,
    ProviderCallError,
    TierModels,
    aclose_models,
    asked_of,
    check_models,
    complete,
    is_stated,
    price,
    probe_endpoint,
    resolve_models,
)
from cupel.project import Project, address_problem, host_of
from cupel.runlog import open_run_log
from cupel.tracing import masking_rules

PROBE_TOKENS = 64
PROBE_TIMEOUT_S = 30.0


def keys(project: Project, env: Mapping[str, str]) -> Iterator[Check]:
    """Which variables with keys and addresses are set; a key's value is never shown."""
    for provider, site in SITES.items():
        if site.needs_key:
            is_set = bool(env.get(site.key_variable, "").strip())
            state = "set" if is_set else "not set"
            yield Check(
                "keys", "ok" if is_set else "absent", f"{site.key_variable}: {state} (for {provider}:)"
            )
        for name in site.url_variables:
            if env.get(name, "").strip():
                yield Check("keys", "ok", f"{name}: {_address(env[name])}")
    yield from _dotenv(project, env)


def _address(url: str) -> str:
    """An address without a user name or password."""
    url = url.strip()
    if problem := address_problem(url):
        return f"no address: {problem}"
    return f"{url.partition('://')[0]}://{host_of(url)}{urlsplit(url).path}"


def _dotenv(project: Project, env: Mapping[str, str]) -> Iterator[Check]:
    path = project.folder / ".env"
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    named = re.findall(
        r"^[ \t]*+(?:export[ \t]++)?([A-Za-z_]\w*+)[ \t]*+=[ \t]*+\S", text, flags=re.MULTILINE
    )
    unread = [name for name in dict.fromkeys(named) if name not in env]
    if unread:
        yield Check(
            "keys", "note", f"{path} names {', '.join(unread)}, which `langgraph dev` reads and the command line does not",
            f"set -a; . {path}; set +a",
        )  # fmt: skip


def models(settings: Mapping[str, Any], project: Project, env: Mapping[str, str]) -> Iterator[Check]:
    """The model of every role, whether it could be asked, and whether its price is known."""
    try:
        tiers = _resolve(settings, project, env)
    except CupelError as error:
        yield Check("models", "trouble", str(error))
        return
    yield Check("models", "ok", f"profile {tiers.profile}")
    chosen = tiers.all()
    one_by_one = [_reachable(role, model, env) for role, model in chosen.items()]
    yield from one_by_one
    if all(check.level != "trouble" for check in one_by_one):
        yield from _together(tiers, env)
    for role in ("strong", "judge", "refiner"):
        if role not in chosen:
            yield Check("models", "note", f"{role}: none", _without(role))


def _resolve(settings: Mapping[str, Any], project: Project, env: Mapping[str, str]) -> TierModels:
    from cupel.models import set_recordings_folder

    set_recordings_folder(project.recordings)
    return resolve_models(run_context(settings, env), env)


def _reachable(role: str, model: str, env: Mapping[str, str]) -> Check:
    try:
        check_models(TierModels(cheap=model), env)
        rate = price(model, env)
    except SettingError as error:
        problem, _, others = str(error).removeprefix("cheap model ").partition(". Set it, or ")
        return Check("models", "trouble", f"{role}: {problem}", f"set it, or {others}" if others else "")
    if rate is None:
        return Check(
            "models", "note", f"{role}: {model}, of unknown price: --max-usd is refused",
            f'set CUPEL_PRICES="{model}=IN/OUT" (USD per million tokens)',
        )  # fmt: skip
    each = f"${rate.input * 1e6:g} in, ${rate.output * 1e6:g} out per million tokens"
    return Check("models", "ok", f"{role}: {model} ({each if rate.output else 'free'})")


def _together(tiers: TierModels, env: Mapping[str, str]) -> Iterator[Check]:
    """What is wrong with the models as a whole, such as a judge that judges itself."""
    try:
        check_models(tiers, env)
    except SettingError as error:
        yield Check("models", "trouble", str(error))


def _without(role: str) -> str:
    if role == "strong":
        return "doubtful records go to a person; name one with --strong-model"
    if role == "judge":
        return "what only a judge could accept needs review; name one with --judge-model"
    return "rejected records are not refined; name one with --refiner-model"


def probe_models(settings: Mapping[str, Any], project: Project, env: Mapping[str, str]) -> Iterator[Check]:
    """One tiny call to every model that a provider serves."""
    try:
        by_role = _resolve(settings, project, env).all()
    except CupelError:
        return  # told already
    remote = [
        model
        for model in dict.fromkeys(by_role[role] for role in ROLES if role in by_role)
        if ModelId.parse(model).provider in SITES
    ]
    if not remote:
        yield Check("probe", "ok", "no model here is served by a provider, so there is nothing to call")
    yield from asyncio.run(_probe(remote, project, env))


async def _probe(asked: list[str], project: Project, env: Mapping[str, str]) -> list[Check]:
    try:
        answered = list(await asyncio.gather(*(_probe_one(model) for model in asked)))
        own = [model for model, check in zip(asked, answered, strict=True) if check.level == "ok"]
        own = [model for model in own if ModelId.parse(model).provider == "local"]
        return [*answered, *(await _find_out(own, project, env) if own else ())]
    finally:
        await aclose_models()


async def _find_out(own: list[str], project: Project, env: Mapping[str, str]) -> list[Check]:
    """What servers of one's own really do: later runs ask them as they were found, by the run log."""
    checks = []
    run_log = await asyncio.to_thread(open_run_log, project.state, env)
    try:
        for model in own:
            try:
                found = await probe_endpoint(model)
            except CupelError as error:
                checks.append(Check("probe", "note", f"{model}: what it can do was not found out: {error}"))
                continue
            await run_log.note_endpoint(asked_of(model), found.to_json())
            level: Literal["ok", "note"] = "ok" if found.schema and found.output_limit else "note"
            stated = "; CUPEL_CAPABILITIES has the last word" if is_stated(model, env) else ""
            checks.append(Check("probe", level, f"{model} {found.sentence()}{stated}"))
    finally:
        await asyncio.to_thread(run_log.close, 10.0)
    return checks


async def _probe_one(model: str) -> Check:
    settings = CallSettings(max_output_tokens=PROBE_TOKENS, timeout_s=PROBE_TIMEOUT_S)
    try:
        answer = await complete(model, [{"role": "user", "content": "Reply with OK."}], settings=settings)
    except Exception as error:  # noqa: BLE001 - whatever keeps a model from answering is the finding
        theirs = isinstance(error, CupelError | ProviderCallError)
        fix = "check the key, the name and the address" if theirs else ""
        return Check("probe", "trouble", f"{model}: {type(error).__name__}: {error}", fix)
    return Check(
        "probe",
        "ok",
        f"{model} answered in {answer.latency_s:.2f} s ({answer.input_tokens}+{answer.output_tokens} tokens)",
    )


def tracing(env: Mapping[str, str]) -> Iterator[Check]:
    """Whether anything would be sent to LangSmith."""
    from langsmith.utils import tracing_is_enabled

    has_key = bool(env.get("LANGSMITH_API_KEY") or env.get("LANGCHAIN_API_KEY"))
    if tracing_is_enabled():
        where = _address(env.get("LANGSMITH_ENDPOINT", "https://api.smith.langchain.com"))
        yield Check(
            "tracing", "ok", f"on: runs go to {where}, project {env.get('LANGSMITH_PROJECT', 'default')}"
        )
        try:
            masking_rules(env.get("CUPEL_TRACE_MASK", ""))
        except SettingError as error:
            yield Check("tracing", "trouble", str(error))
        if not has_key:
            yield Check("tracing", "note", "no LANGSMITH_API_KEY", "set it, or LANGSMITH_TRACING=false")
        return
    yield Check("tracing", "ok", "off: nothing is sent to LangSmith")
    if has_key and "LANGSMITH_TRACING" not in env:
        yield Check(
            "tracing", "note", "with LANGSMITH_API_KEY alone a bare `langgraph dev` sends no document, but how often it is used",
            "start it with `make dev`, or set LANGSMITH_TRACING=false or true, as you mean it",
        )  # fmt: skip
