"""Data sets and finished experiments sent to LangSmith, when a person asks for it; nothing else sends any."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cupel.errors import SettingError
from cupel.tracing.tracer import cleaned, langsmith_client, reachable, where
from cupel.tracing.transport import Sending

if TYPE_CHECKING:
    from langsmith import Client

Clean = Callable[[dict[str, Any]], dict[str, Any]]

UPLOAD_S = 10.0
"""Longest wait for one request of an upload."""


def upload_experiment(
    env: Mapping[str, str],
    *,
    dataset: str,
    experiment: str,
    examples: list[dict[str, Any]],
    rows: Mapping[str, Any],
    figures: Mapping[str, float],
    feedback: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """Send a finished experiment to LangSmith: its data set, one run an example, and the figures as feedback.

    Args:
        env: `LANGSMITH_API_KEY` and `LANGSMITH_ENDPOINT`.
        dataset: Name of the data set; made when missing.
        experiment: Name of the variant.
        examples: `{"id", "inputs", "outputs"}` each; ids stay the same, so a rerun makes no second example.
        rows: Example id → what the variant made of it.
        figures: Means of the variant.
        feedback: Example id → what its run was scored, or `{"value"}` where that is no number.

    Returns:
        The experiment's name in LangSmith.

    Raises:
        SettingError: If the endpoint cannot be reached or refuses.
    """
    with _client(env, kept="result") as client:
        dataset_id, ids = _dataset(client, dataset, examples, cleaned(env))
        name = f"{experiment}-{uuid.uuid4().hex[:8]}"
        client.create_project(name, reference_dataset_id=dataset_id, metadata={**figures})
        when = datetime.now(UTC)
        for item in examples:
            run = uuid.uuid4()
            client.create_run(
                "enrich",
                item["inputs"],
                "chain",
                project_name=name,
                id=run,
                trace_id=run,
                dotted_order=f"{when:%Y%m%dT%H%M%S%fZ}{run}",
                reference_example_id=ids[item["id"]],
                outputs=rows.get(item["id"]) or {},
                start_time=when,
                end_time=when,
            )
            for key, said in (feedback or {}).get(item["id"], {}).items():
                values = said if isinstance(said, Mapping) else {"score": said}
                client.create_feedback(run, key=key, trace_id=run, **values)
        return name


def upload_examples(env: Mapping[str, str], dataset: str, examples: list[dict[str, Any]]) -> str:
    """Send a data set to LangSmith; returns its id.

    Raises:
        SettingError: If the endpoint cannot be reached or refuses.
    """
    with _client(env, kept="data set") as client:
        return str(_dataset(client, dataset, examples, cleaned(env))[0])


@contextmanager
def _client(env: Mapping[str, str], *, kept: str) -> Iterator[Client]:
    """A client for one upload; its failures say that what is `kept` here is not lost."""
    endpoint = where(env)
    if problem := reachable(endpoint):
        raise SettingError(f"{endpoint} cannot be reached ({problem}); the local {kept} stands")
    client = langsmith_client(endpoint, env, Sending(UPLOAD_S, lambda _: None))
    try:
        yield client
    except Exception as error:
        raise SettingError(f"{endpoint}: {type(error).__name__}: {error}; the local {kept} stands") from error
    finally:
        client.flush(timeout=UPLOAD_S)
        client.close(timeout=UPLOAD_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What people said of one example in LangSmith, the newest word last."""

    record: Any = None
    """The record that was judged, of the newest run on the example; None where it has none."""

    corrected: Any = None
    """What a person says is right; None where nobody did."""

    scores: Mapping[str, float] = field(default_factory=dict)
    """A person's scores in [0, 1], by the key they were given under."""


def pull_corrections(env: Mapping[str, str], dataset: str, ids: Sequence[str]) -> dict[str, Correction]:
    """What people said of a data set's examples: outputs they edited, and feedback on runs of its experiments.

    Args:
        env: `LANGSMITH_API_KEY` and `LANGSMITH_ENDPOINT`.
        dataset: Its name.
        ids: Ids of the rows, as they were sent.

    Raises:
        SettingError: If there is no such data set, or the endpoint cannot be reached or refuses.
    """
    with _client(env, kept="data set") as client:
        if not client.has_dataset(dataset_name=dataset):
            raise SettingError(
                f"LangSmith has no data set {dataset!r}; `cupel failures --freeze NAME --langsmith` sends one"
            )
        found = client.read_dataset(dataset_name=dataset)
        row_of = {example_id(found.id, row): row for row in ids}
        gold = {
            example.id: (example.outputs or {}).get("gold")
            for example in client.list_examples(dataset_id=found.id)
        }
        runs = _newest_runs(client, found.id)
        people = _of_people(client, [run.id for run in runs.values()])
        return {
            row: _correction(gold.get(example), runs.get(example), people)
            for example, row in row_of.items()
            if example in gold
        }


def _newest_runs(client: Client, dataset_id: uuid.UUID) -> dict[uuid.UUID, Any]:
    """By example, the newest run on it."""
    projects = [project.id for project in client.list_projects(reference_dataset_id=dataset_id)]
    with warnings.catch_warnings():
        # its successor came with this year's SDK and is asked for other paths, which a server of one's own may not have
        warnings.simplefilter("ignore")
        listed = list(client.list_runs(project_id=projects, is_root=True)) if projects else []
    runs = sorted(listed, key=lambda run: run.start_time)
    return {run.reference_example_id: run for run in runs if run.reference_example_id is not None}


def _of_people(client: Client, run_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Any]]:
    """By run, the feedback that came from LangSmith's pages, the oldest first; Cupel's own comes over its API."""
    found: dict[uuid.UUID, list[Any]] = {}
    for start in range(0, len(run_ids), 50):
        some = run_ids[start : start + 50]
        for one in client.list_feedback(run_ids=some, feedback_source_type=["app"]):  # type: ignore[list-item]  # the SDK takes texts too
            if one.run_id is not None:
                found.setdefault(one.run_id, []).append(one)
    return {run: sorted(said, key=lambda one: one.modified_at) for run, said in found.items()}


def _correction(gold: Any, run: Any, people: Mapping[uuid.UUID, Sequence[Any]]) -> Correction:
    said = people.get(run.id, ()) if run is not None else ()
    scores = {one.key: float(one.score) for one in said if isinstance(one.score, int | float)}
    corrected = gold
    for one in said:
        if isinstance(one.correction, Mapping):
            corrected = one.correction.get("record", one.correction)
    outputs = (run.outputs or {}) if run is not None else {}
    return Correction(record=outputs.get("record"), corrected=corrected, scores=scores)


def example_id(dataset_id: uuid.UUID, row: str) -> uuid.UUID:
    """The id of a row's example: the same whenever the data set is sent."""
    return uuid.uuid5(dataset_id, row)


def _dataset(
    client: Client, name: str, examples: list[dict[str, Any]], clean: Clean
) -> tuple[uuid.UUID, dict[str, uuid.UUID]]:
    """The data set's id, and the id of each example's copy in it."""
    before = client.read_dataset(dataset_name=name) if client.has_dataset(dataset_name=name) else None
    dataset = before or client.create_dataset(name, description="made by cupel")
    ids = {item["id"]: example_id(dataset.id, item["id"]) for item in examples}
    there = {example.id for example in client.list_examples(dataset_id=dataset.id)} if before else set()
    new = [
        {
            "id": ids[item["id"]],
            **{part: clean(item[part]) for part in ("inputs", "outputs", "metadata") if item.get(part)},
        }
        for item in examples
        if ids[item["id"]] not in there
    ]
    if new:
        client.create_examples(dataset_id=dataset.id, examples=new)
    return dataset.id, ids
