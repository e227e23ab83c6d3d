"""Data sets and finished experiments sent to LangSmith, when a person asks for it; nothing else sends any."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cupel.errors import SettingError
from cupel.tracing.tracer import langsmith_client, reachable, where
from cupel.tracing.transport import Sending

if TYPE_CHECKING:
    from langsmith import Client

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
    feedback: Mapping[str, Mapping[str, float]] | None = None,
) -> str:
    """Send a finished experiment to LangSmith: its data set, one run an example, and the figures as feedback.

    Args:
        env: `LANGSMITH_API_KEY` and `LANGSMITH_ENDPOINT`.
        dataset: Name of the data set; made when missing.
        experiment: Name of the variant.
        examples: `{"id", "inputs", "outputs"}` each; ids stay the same, so a rerun makes no second example.
        rows: Example id → what the variant made of it.
        figures: Means of the variant.
        feedback: Example id → what its run was scored.

    Returns:
        The experiment's name in LangSmith.

    Raises:
        SettingError: If the endpoint cannot be reached or refuses.
    """
    with _client(env, kept="result") as client:
        dataset_id, ids = _dataset(client, dataset, examples)
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
            for key, score in (feedback or {}).get(item["id"], {}).items():
                client.create_feedback(run, key=key, score=score, trace_id=run)
        return name


def upload_examples(env: Mapping[str, str], dataset: str, examples: list[dict[str, Any]]) -> str:
    """Send a data set to LangSmith; returns its id.

    Raises:
        SettingError: If the endpoint cannot be reached or refuses.
    """
    with _client(env, kept="data set") as client:
        return str(_dataset(client, dataset, examples)[0])


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


def _dataset(
    client: Client, name: str, examples: list[dict[str, Any]]
) -> tuple[uuid.UUID, dict[str, uuid.UUID]]:
    """The data set's id, and the id of each example's copy in it."""
    before = client.read_dataset(dataset_name=name) if client.has_dataset(dataset_name=name) else None
    dataset = before or client.create_dataset(name, description="made by cupel")
    ids = {item["id"]: uuid.uuid5(dataset.id, item["id"]) for item in examples}
    there = {example.id for example in client.list_examples(dataset_id=dataset.id)} if before else set()
    new = [
        {"id": ids[item["id"]], "inputs": item["inputs"], "outputs": item["outputs"]}
        for item in examples
        if ids[item["id"]] not in there
    ]
    if new:
        client.create_examples(dataset_id=dataset.id, examples=new)
    return dataset.id, ids
