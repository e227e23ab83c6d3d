"""What a decision rests on, as hashes: a version, what it was compared with, texts, gold, metric, models, judge, split.

Where anything of it moved, the decision is about something else, and the gate has to decide anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cupel.context import RunContext
from cupel.errors import CupelError
from cupel.improvement.entries import Entry, digest
from cupel.improvement.seen import document_hash
from cupel.improvement.versions import as_version, version_of
from cupel.models import TierModels, resolve_models
from cupel.project import Project
from cupel.runlog import text_hash
from cupel.runs import Document, read_documents
from cupel.task import TaskSpec, judge_prompt_of

WORDS = {
    "version": "the prompt that was tested",
    "against": "the prompt in the folder",
    "texts": "the documents' texts",
    "gold": "their gold",
    "metric": "the metric",
    "models": "the models or their settings",
    "judge": "the judge or what it is asked",
    "split": "how documents are held out",
}
"""What each part is, for who has to be told that it moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that made a decision, each part a hash or an id; empty where it cannot be told here.

    Attributes:
        version: The candidate.
        against: What it was compared with.
        texts: Of the documents it was decided on.
        gold: Of these documents.
        metric: What was compared, and where right begins.
        models: Who wrote the records, where, and under which settings.
        judge: Who judged them, and by which questions; nobody where gold decides.
        split: How the documents came to be held out.
    """

    version: str
    against: str
    texts: str
    gold: str
    metric: str
    models: str
    judge: str
    split: str

    def parts(self) -> dict[str, str]:
        """As the ledger keeps it."""
        return asdict(self)

    def moved(self, then: Mapping[str, str]) -> list[str]:
        """What is not as it was, in words; what cannot be told here did not move."""
        return [
            words
            for name, words in WORDS.items()
            if (now := getattr(self, name)) and then.get(name) and now != then[name]
        ]


def evidence_of(
    task: TaskSpec,
    *,
    version: str,
    documents: Sequence[Document],
    metric: str,
    by_gold: bool,
    context: RunContext,
    models: Mapping[str, str],
    judges: Sequence[str],
    asked: Mapping[str, Any],
) -> Evidence:
    """The evidence of a decision.

    Args:
        task: As its folder has it: what the candidate is compared with.
        version: The candidate.
        documents: Those it is decided on.
        metric: What is compared, from `Campaign.metric`.
        by_gold: Whether gold decides.
        context: Settings under which the held-out documents are run.
        models: Role → model at its address.
        judges: Who decides where there is no gold.
        asked: `held_out`, `group` and `split_salt`, as they were given.
    """
    texts = sorted([text_hash(d.text), sorted(d.inputs.items())] for d in documents)
    gold = (
        [[document_hash(d.text), d.gold] for d in sorted(documents, key=lambda d: d.text)] if by_gold else []
    )
    writers = {
        role: model for role, model in models.items() if role in ("cheap", "strong", "agreement", "fallback")
    }
    settings = context.deciding({"refiner_model", "judge_model", "jury_models", "jury"})
    kind = judge_prompt_of(context.judge_way)
    questions = [task.prompts.get(kind, ""), [item.told for item in task.criteria_of(context.judge_way)]]
    return Evidence(
        version=version, against=version_of(task), texts=digest(texts), gold=digest(gold),
        metric=digest([metric, task.metric, task.wrong_below]), models=digest([writers, settings]),
        judge=digest([] if by_gold else [list(judges), questions]),
        split=digest([asked.get(name) or None for name in ("held_out", "group", "split_salt")]),
    )  # fmt: skip


def confirmation_of(
    context: RunContext, *, by_gold: bool, gate_judge: str, jury: Sequence[str]
) -> tuple[RunContext, RunContext]:
    """Settings under which versions are compared on development documents, and on held-out ones.

    Nothing is refined. On held-out documents another judge decides, with the jury if there is one: who sits at the
    gate may not tune.
    """
    judge = "never" if by_gold else "always"
    changes = {"judge": judge, "max_refinements": 0, "advisory_judge": False, "jury_models": ()}
    trial = context.model_copy(update=changes)
    if by_gold:
        return trial, trial
    sitting: dict[str, Any] = {"judge_model": gate_judge}
    sitting |= {"jury_models": tuple(jury), "jury": "always"} if jury else {}
    return trial, trial.model_copy(update=sitting)


def judges_of(models: TierModels, gate_judge: str) -> tuple[str, tuple[str, ...]]:
    """The gate's judge, the first juror where none is named, and who sits with it."""
    judge = gate_judge or next(iter(models.jury), "")
    return judge, tuple(model for model in models.jury if model != judge)


def metric_of(task: TaskSpec, *, by_gold: bool, graded: bool, judges: Sequence[str]) -> str:
    """What decides at the gate."""
    if not by_gold:
        return f"judge:{'+'.join(judges)}"
    return f"gold:{task.metric}" + ("" if graded else f" ≥ {task.wrong_below:g}")


def evidence_now(
    project: Project,
    task: TaskSpec,
    decision: Entry,
    *,
    version: Mapping[str, Any],
    docs: Sequence[str],
    env: Mapping[str, str],
) -> Evidence:
    """The same evidence as it is today; parts that cannot be told here, as in a clone without the documents, are empty.

    Args:
        project: The project.
        task: As its folder has it.
        decision: Its entry in the ledger.
        version: The candidate's entry's data.
        docs: Hashes of the documents it was decided on.
        env: Environment variables, for models and addresses.
    """
    made = decision.data.get("made_of")
    tested = version_of(as_version(task, version)) if "rules" in version else ""
    unknown = Evidence(
        version=tested, against=version_of(task), texts="", gold="", metric="", models="", judge="", split=""
    )
    if not made:
        return unknown
    try:
        documents = _documents(project, task, made, docs)
        by_gold = str(decision.data.get("metric", "")).startswith("gold:")
        context = RunContext(**made["settings"])
        models = resolve_models(context, env)
        judge, jury = judges_of(models, made["gate_judge"])
        context = context.model_copy(update={"jury_models": ()})
        _, confirmation = confirmation_of(context, by_gold=by_gold, gate_judge=judge, jury=jury)
        graded = by_gold and made["gate_metric"] != "right"
        now = evidence_of(
            task, version=tested, documents=documents or (), by_gold=by_gold, context=confirmation,
            metric=metric_of(task, by_gold=by_gold, graded=graded, judges=(judge, *jury)), judges=(judge, *jury),
            models=resolve_models(confirmation, env).at_addresses(env), asked=made,
        )  # fmt: skip
    except (
        CupelError,
        ValueError,
    ):  # a profile or a column that is not there any more: it moved, and nobody knows what
        return replace(unknown, models="gone")
    return now if documents is not None else replace(now, texts="", gold="")


def _documents(
    project: Project, task: TaskSpec, made: Mapping[str, Any], docs: Sequence[str]
) -> list[Document] | None:
    """The documents of a decision as its files have them now; None where one of the files is not here."""
    files = {name: project.folder / Path(made[name]) for name in ("documents", "gold_file") if name in made}
    if not all(path.is_file() for path in files.values()):
        return None
    gold = str(files.get("gold_file") or made.get("gold_column") or "")
    wanted = set(docs)
    return [
        document
        for document in read_documents(files["documents"], task, group=made.get("group") or "", gold=gold)
        if document_hash(document.text) in wanted
    ]
