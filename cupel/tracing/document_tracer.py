"""One document's runs as LangSmith gets them: tagged, each with its cost, and no text sent more often than it is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.tracers.langchain import LangChainTracer
from typing_extensions import override

if TYPE_CHECKING:
    from langchain_core.tracers.schemas import Run
    from langsmith import Client

LONG = 400
"""Characters from which on a message that was sent before in this trace is only referred to."""

_OPENS, _CLOSES = '<document id="', "</document>"
_OF_STEPS = frozenset({"session_id", "thread_id"})
"""What every run of a thread has to say, so that LangSmith finds them together; the rest stands at the root."""

_OF_CALLS = _OF_STEPS | {
    "doc_id", "lc_hub_commit_hash", "lc_hub_owner", "lc_hub_repo", "ls_max_tokens", "ls_model_name", "ls_model_type",
    "ls_provider", "ls_temperature", "model", "prompt_version", "usage_metadata",
}  # fmt: skip
"""And what a call says of itself."""

_ROLES = {"system": "system", "human": "user", "ai": "assistant"}


@dataclass(slots=True)
class Trace:
    """What is known of one document's trace, shared by the copies LangChain makes of its tracer."""

    price: Callable[[Mapping[str, Any]], Mapping[str, float]] = lambda _: {}
    """From the metadata of a call to what its tokens cost, as LangSmith names it."""

    commit: Callable[[str], tuple[str, str] | None] = lambda _: None
    """From a prompt's version to its name and commit in the hub."""

    commits: dict[str, str] = field(default_factory=dict)
    """By version, of the prompts that were sent."""

    on_end: Callable[[Any, Mapping[str, Any]], None] = lambda _run, _outcome: None
    """Told of the root's outcome."""

    text: str = ""
    has_document: bool = False
    """A call that carries the whole document was sent; every other one refers to the root run."""

    seen: dict[str, str] = field(default_factory=dict)
    """Long message → the name of the call that carried it."""


class DocumentTracer(LangChainTracer):
    """LangChain's tracer for one document.

    A trace has the document at the root and in the first call that asks about the whole of it; other calls refer to
    it. A long message that was sent before, as the system prompt of a second round, is referred to as well.
    """

    trace: Trace

    @classmethod
    def of(cls, trace: Trace, client: Client, project: str) -> DocumentTracer:
        """A tracer that sends one document's runs to a project."""
        made = cls(client=client, project_name=project)
        made.trace = trace
        return made

    @override
    def copy_with_metadata_defaults(self, **kwargs: Any) -> LangChainTracer:
        copied = super().copy_with_metadata_defaults(**kwargs)
        copied.trace = self.trace  # type: ignore[attr-defined]  # a copy is of this class
        return copied

    @override
    def _persist_run_single(self, run: Run) -> None:
        """Make a run ready as it begins; it is sent once, whole, when it has ended."""
        if run.extra.get("__disabled"):
            return
        run.tags = self._get_tags(run)
        run.extra = {"metadata": {**(self.tracing_metadata or {}), **(run.extra.get("metadata") or {})}}
        run.ls_client, run.serialized = self.client, None
        if run.parent_run_id is None:
            text = (run.inputs or {}).get("text")
            self.trace.text = text if isinstance(text, str) else ""
            run.inputs = {k: v for k, v in (run.inputs or {}).items() if v is not None}
            return
        kept = _OF_CALLS if run.run_type == "llm" else _OF_STEPS
        run.extra["metadata"] = {k: v for k, v in run.extra["metadata"].items() if k in kept}
        run.tags = None
        if run.run_type == "llm":
            self._shorten(run)
            self._name_commit(run)
        elif run.run_type == "chain":
            run.inputs = {}  # the state so far, of which the steps before it told

    def _update_run_single(self, run: Run) -> None:  # type: ignore[override]  # a static method there
        if run.extra.get("__disabled"):
            return
        if (run.error or "").startswith("GraphInterrupt"):
            run.error, run.outputs = None, {"asked": "a person"}  # the question holds the document
        run.events = None  # type: ignore[assignment]  # its start and its end, which it has anyway
        if not run.extra.get("metadata"):
            run.extra = None  # type: ignore[assignment]  # so that nothing of it is sent
        with suppress(Exception):  # a trace that cannot be sent is no reason for a document to fail
            run.post()

    @override
    def _on_llm_end(self, run: Run) -> None:
        metadata = run.extra.setdefault("metadata", {})
        [said] = _messages_said(run)[:1] or [{}]
        usage = said.get("usage_metadata")
        details = said.get("response_metadata") or {}
        run.outputs = {"role": "assistant", "content": said.get("content")}
        for name in ("finish_reason", "refusal"):
            if details.get(name):
                run.outputs[name] = details[name]
        if isinstance(usage, dict):
            costs = self.trace.price({"model": metadata.get("model"), "usage": usage, "details": details})
            metadata["usage_metadata"] = {**usage, **costs}
        self._update_run_single(run)

    @override
    def _on_chain_end(self, run: Run) -> None:
        outcome = run.outputs or {}
        if run.parent_run_id is None and "attempts" in outcome:
            known = {name: outcome.get(name) for name in ("doc_id", "prompt_version", "status", "cost_usd")}
            metadata = run.extra.get("metadata") or {}
            if outcome.get("task"):
                run.tags = sorted({*(run.tags or ()), f"task:{outcome['task']}"})
            known["hub_commit"] = self.trace.commits.get(outcome.get("prompt_version") or "")
            run.extra["metadata"] = metadata | {k: v for k, v in known.items() if v is not None}
            run.outputs = brief_outcome(outcome)
        super()._on_chain_end(run)
        if run.parent_run_id is None:
            self.trace.on_end(run.id, outcome)

    def _name_commit(self, run: Run) -> None:
        version = run.extra["metadata"].get("prompt_version", "")
        found = self.trace.commit(version) if version else None
        if found is not None:
            name, commit = found
            self.trace.commits[version] = commit
            run.extra["metadata"] |= {"lc_hub_owner": "-", "lc_hub_repo": name, "lc_hub_commit_hash": commit}

    def _shorten(self, run: Run) -> None:
        """A call by its messages; the schema that is asked for stands in the run log."""
        said = (message.get("kwargs", {}) for batch in run.inputs.get("messages", ()) for message in batch)
        run.inputs = {
            "messages": [
                {
                    "role": _ROLES.get(str(message.get("type")), "user"),
                    "content": self._referring(str(message.get("content")), run.name),
                }
                for message in said
            ]
        }

    def _referring(self, content: str, call: str) -> str:
        told = cut_documents(content, keep=None if self.trace.has_document else self.trace.text)
        self.trace.has_document |= _OPENS in content and told == content
        before = self.trace.seen.get(told)
        if before is not None:
            return f"⟦the same message as in the call {before!r}⟧"
        if len(told) >= LONG:
            self.trace.seen[told] = call
        return told


def cut_documents(content: str, keep: str | None = None) -> str:
    r"""A message with a mark in place of each document in it.

    Args:
        content: As it is sent.
        keep: A document that may stand, where the message is about nothing else.

    >>> cut_documents('Read.\n<document id="a">\nLong ago.\n</document>\nNow.')
    'Read.\n<document id="a">⟦9 characters, as at the root⟧</document>\nNow.'
    >>> cut_documents('<document id="a">\nLong ago.\n</document>', keep="Long ago.")
    '<document id="a">\nLong ago.\n</document>'
    """
    parts, at = [], 0
    if keep is not None and content.count(_OPENS) == 1:
        begin = content.index(">", content.index(_OPENS)) if ">" in content[content.index(_OPENS) :] else 0
        end = content.find(_CLOSES, begin)
        # inside its tags a text keeps its length: what would end them is replaced sign for sign
        if begin and len(content[begin + 1 : end].strip("\n")) == len(keep.strip("\n")):
            return content
    while (start := content.find(_OPENS, at)) >= 0:
        begin = content.find(">", start) + 1
        end = content.find(_CLOSES, begin)
        if not begin or end < 0:
            break
        text = content[begin:end].strip("\n")
        parts += [content[at:begin], f"⟦{len(text):,} characters, as at the root⟧"]
        at = end
    return "".join(parts) + content[at:]


def brief_outcome(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """An outcome for its trace: the record and what decided, without what the runs below it hold."""
    large = ("text", "attempts", "verdicts", "addenda", "windows", "evidence", "review")
    told = {name: value for name, value in outcome.items() if name not in large}
    told["evidence"] = [brief_evidence(item) for item in outcome.get("evidence") or ()]
    told["attempts"] = [brief_attempt(item) for item in outcome.get("attempts") or ()]
    told["verdicts"] = [brief_verdict(item) for item in outcome.get("verdicts") or ()]
    if outcome.get("review"):
        told["review"] = {name: outcome["review"].get(name) for name in ("action", "by", "at", "note")}
    return told


def brief_evidence(item: Mapping[str, Any]) -> dict[str, Any]:
    """Where a quote of the record stands, by the quote's place in the record."""
    return {name: item.get(name) for name in ("path", "match", "start", "end")}


def brief_attempt(attempt: Mapping[str, Any]) -> dict[str, Any]:
    """One attempt without its record: the call it came from has that."""
    names = (
        "number",
        "tier",
        "round",
        "model",
        "prompt_version",
        "error",
        "score",
        "confidence",
        "in_doubt",
        "doubts",
    )
    told = {name: attempt[name] for name in names if attempt.get(name) not in (None, [], "")}
    told["signals"] = {k: v for k, v in (attempt.get("signals") or {}).items() if v is not None}
    return told


def brief_verdict(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """One verdict by the names of what failed or is unknown: the judge's call has the reasons."""
    against: dict[str, str] = {}
    for findings in (verdict.get("code_findings") or (), verdict.get("findings") or ()):
        # a thread's state has them in a word each
        named = (
            findings if isinstance(findings, Mapping) else {f["criterion"]: f["finding"] for f in findings}
        )
        against |= {name: finding for name, finding in named.items() if finding != "pass"}
    names = ("attempt", "verdict", "score", "model")
    return {**{name: verdict.get(name) for name in names}, "against": against}


def _messages_said(run: Run) -> list[dict[str, Any]]:
    """What was answered, as LangChain wrote it down."""
    every = [one for batch in (run.outputs or {}).get("generations") or () for one in batch]
    return [one["message"].get("kwargs") or {} for one in every if isinstance(one.get("message"), dict)]
