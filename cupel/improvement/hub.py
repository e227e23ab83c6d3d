"""LangSmith's prompt hub as a mirror of the folder: pushed on a named parent, pulled by hash, never by tag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cupel.errors import SettingError
from cupel.improvement.versions import rules_toml, version_of
from cupel.task import Rule, TaskSpec, parse_rules, template_of
from cupel.tracing import UPLOAD_S, Sending, langsmith_client, reachable, where

if TYPE_CHECKING:
    from langsmith import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class HubPrompt:
    """A commit of the hub, as a prompt of ours.

    Attributes:
        commit: Its whole hash.
        extract: The contract, as extract.md has it.
        rules: Its rules; None where the commit carries none of ours.
        version: The version it was pushed as; None where it was not pushed from here.
    """

    commit: str
    extract: str
    rules: tuple[Rule, ...] | None
    version: str | None


def hub_name(task: str) -> str:
    """What a task's extracting prompt is called in the hub."""
    return f"cupel-{task}-extract"


def push_prompt(env: Mapping[str, str], task: TaskSpec, *, parent: str | None) -> str:
    """Commit a version to the hub on top of the commit it is known to follow.

    Args:
        env: `LANGSMITH_API_KEY` and `LANGSMITH_ENDPOINT`.
        task: The task as the version has it.
        parent: The hub's commit it follows; None for the first one.

    Returns:
        The hash of the commit made.

    Raises:
        SettingError: If the endpoint cannot be reached or refuses, or the hub's newest commit is another one.
    """
    from langchain_core.prompts import ChatPromptTemplate
    from langsmith.utils import LangSmithConflictError

    template = template_of(task, "extract")
    parts = [(role, text) for role, text in (("system", template.system), ("user", template.user)) if text]
    prompt = ChatPromptTemplate.from_messages(parts, template_format="mustache")
    version = version_of(task)
    prompt.metadata = {
        "task": task.name, "version": version, "extract": task.prompts["extract"], "rules": rules_toml(task.rules),
    }  # fmt: skip
    name = hub_name(task.name)
    with _hub(env) as client:
        exists = bool(client.get_prompt(name))
        if not exists:
            client.create_prompt(name, is_public=False, description=task.title)
        elif parent is None:
            raise SettingError(
                f"{name} is in the hub already, and no commit of it is known here: pull one by its hash, or name its parent with --parent"
            )
        try:
            # a parent of None would be looked up as the newest: only right for a prompt made just now
            url = client.create_commit(
                name, prompt, parent_commit_hash=parent, description=f"cupel version {version}"
            )
        except LangSmithConflictError as error:
            raise SettingError(
                f"{name} was changed in the hub since {parent}; pull its newest commit by hash, compare, and push on top of that"
            ) from error
        short = url.partition("?")[0].rpartition("/")[2].rpartition(":")[2]
        return str(client.pull_prompt_commit(f"{name}:{short}", skip_cache=True).commit_hash)


def pull_prompt(env: Mapping[str, str], task: TaskSpec, commit: str) -> HubPrompt:
    """The prompt of one commit; what was edited in the hub counts, what it was pushed as is told beside.

    Raises:
        SettingError: For a tag in place of a hash, an endpoint that refuses, or a commit that holds no chat prompt.
    """
    if not commit or set(commit) - set("0123456789abcdef"):
        raise SettingError(f"{commit!r} is no commit hash; prompts are pulled by hash, never by tag")
    name = hub_name(task.name)
    with _hub(env) as client:
        pulled = client.pull_prompt_commit(f"{name}:{commit}", skip_cache=True)
    kwargs = pulled.manifest.get("kwargs", {})
    parts = dict(_parts(kwargs.get("messages", ())))
    if "user" not in parts:
        raise SettingError(f"{name}:{commit} is not a chat prompt with a user message")
    own = kwargs.get("metadata") or {}
    pushed = str(own.get("extract", ""))
    written = "\n".join(f"# {role}\n{parts[role]}\n" for role in ("system", "user") if role in parts)
    same = pushed and all(part in pushed for part in parts.values())
    rules = parse_rules(own["rules"], f"{name}:{commit}") if own.get("rules") else None
    return HubPrompt(
        commit=pulled.commit_hash,
        extract=pushed if same else written,
        rules=rules,
        version=own.get("version"),
    )


def _parts(messages: Any) -> Iterator[tuple[str, str]]:
    """Role and text of a manifest's messages."""
    roles = {"SystemMessagePromptTemplate": "system", "HumanMessagePromptTemplate": "user"}
    for message in messages:
        role = roles.get(str((message.get("id") or [""])[-1]))
        text = message.get("kwargs", {}).get("prompt", {}).get("kwargs", {}).get("template")
        if role and isinstance(text, str):
            yield role, text


@contextmanager
def _hub(env: Mapping[str, str]) -> Iterator[Client]:
    endpoint = where(env)
    if not (env.get("LANGSMITH_API_KEY") or env.get("LANGCHAIN_API_KEY")):
        raise SettingError("the prompt hub needs LANGSMITH_API_KEY")
    if problem := reachable(endpoint):
        raise SettingError(f"{endpoint} cannot be reached ({problem}); nothing was changed")
    client = langsmith_client(endpoint, env, Sending(UPLOAD_S, lambda _: None))
    try:
        yield client
    except SettingError:
        raise
    except Exception as error:
        raise SettingError(f"{endpoint}: {type(error).__name__}: {error}") from error
    finally:
        client.close(timeout=0)
