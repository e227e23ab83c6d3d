"""What a server offers whoever asks, as `/cupel/offer` has it: its tasks, and what a document may cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cupel.errors import SettingError, TaskError
from cupel.runs.server.connection import AwayError, Server
from cupel.task import TaskSpec


class OfferedTask(BaseModel):
    """A task as a server shows it."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(max_length=200)
    title: str = ""
    description: str = ""
    identity: str = Field(max_length=64)
    record_schema: dict[str, Any] = Field(alias="schema")
    inputs: tuple[str, ...] = ()
    optional_inputs: frozenset[str] = frozenset()
    output_language: str = "English"
    metric: str = "record"
    wrong_below: float = 0.5
    labels: dict[str, dict[str, str]] = {}

    def spec(self) -> TaskSpec:
        """As rows are read, written and scored by it; no model is asked with it, so it has no prompts."""
        return TaskSpec(
            name=self.name, title=self.title, description=self.description, schema=self.record_schema, prompts={},
            inputs=self.inputs, optional_inputs=self.optional_inputs, output_language=self.output_language, metric=self.metric,
            wrong_below=self.wrong_below, labels=self.labels,
        )  # fmt: skip


class Offer(BaseModel):
    """What a server offers this caller."""

    model_config = ConfigDict(extra="ignore")

    cupel: str = ""
    graphs: tuple[str, ...] = ()
    tasks: tuple[OfferedTask, ...] = ()
    models: dict[str, str] = {}
    schemas: bool = False
    longest_text: int | None = None
    usd_per_request: float | None = None

    def task(self, name: str, inputs: Iterable[str] = ()) -> OfferedTask:
        """The task of this name.

        Raises:
            TaskError: If the server has none of it for this caller; it names those there are.
            SettingError: For an input it does not take.
        """
        found = next((task for task in self.tasks if task.name == name), None)
        if found is None:
            listed = ", ".join(task.name for task in self.tasks) or "none"
            raise TaskError(
                f"the server has no task {name!r} for this key; it has {listed}. Name one with --task"
            )
        if unknown := [each for each in inputs if each not in found.inputs]:
            takes = ", ".join(found.inputs) or "none"
            raise SettingError(f"task {name!r} takes no input {unknown[0]!r} (inputs: {takes}); leave it out")
        return found

    def check_graph(self, graph: str) -> None:
        """Refuse a graph the server has not for this caller.

        Raises:
            SettingError: Naming those there are.
        """
        if graph not in self.graphs:
            listed = ", ".join(self.graphs) or "none"
            raise SettingError(f"--graph {graph}: the server has no such graph for this key; it has {listed}")

    def most_usd(self, own: float | None) -> float:
        """The most one document may cost, which a cap on the whole sets aside for it.

        Args:
            own: `max_usd_per_document`, where it was given.

        Raises:
            SettingError: Where neither the server nor the caller bounds it.
        """
        bounds = [each for each in (own, self.usd_per_request) if each is not None]
        if not bounds:
            raise SettingError(
                "--max-usd at a server that caps no request: what one document may cost at most has to be set aside for each "
                "in flight. Give it with --max-usd-per-document too, or leave --max-usd out"
            )
        return min(bounds)


async def ask_offer(server: Server) -> Offer:
    """What the server offers.

    Raises:
        SettingError: If what answers there offers nothing of ours.
        ProviderRefusedError: If the key is not taken.
        ProviderDownError: If nothing answers.
    """
    try:
        return Offer.model_validate(await server.get("/cupel/offer"))
    except (AwayError, ValidationError) as error:
        why = error if isinstance(error, AwayError) else "what it offers cannot be read"
        raise SettingError(
            f"{server.url} answers, but is no server of Cupel's, or one older than this command ({why}); give its address with "
            "--server"
        ) from None
