"""A run whose documents a server does: named, kept, resumed and written as any other; models and money are the server's."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from cupel.engine import install
from cupel.limits import DEFAULT_WAIT_S, Budget
from cupel.models import ROLES, TierModels, is_offline
from cupel.project import Project
from cupel.runlog import Account, Usage, account_of_rows
from cupel.runs.job import Job
from cupel.runs.runner import LOGGER, NOT_DECIDING, Runner
from cupel.runs.server.connection import Server
from cupel.runs.server.documents import ServerDocuments
from cupel.runs.server.offer import Offer
from cupel.task import compact
from cupel.text import check_similarity

CODE = "server"
"""Stands for the code that made an outcome: what a server upgrades between two invocations makes no row another's."""


class ServerRunner(Runner):
    """One run of a job at a server: its documents are walked there, and their outcomes kept here.

    Args:
        job: What is to be done; its context is what is sent.
        server: Where.
        offer: What the server offers.
        project: Whose state folder keeps the outcomes.
        wait_s: Seconds to wait for the server.
        tell: Is given a line for each time it is away.
    """

    def __init__(
        self,
        job: Job,
        server: Server,
        offer: Offer,
        project: Project | None = None,
        *,
        wait_s: float = DEFAULT_WAIT_S,
        tell: Callable[[str], None] = LOGGER.warning,
    ) -> None:
        super().__init__(job, project, wait_s=wait_s, tell=tell)
        self.server, self.offer = server, offer

    async def settle(self) -> None:
        """Check all that is asked of the server, and find out what the run is called."""
        self._fit_to_machine()
        if self.job.near_duplicates is not None:
            check_similarity(self.job.near_duplicates)
        self.offer.check_graph(self.job.graph)
        self.terms, self.code = None, CODE
        self.models = self._models()
        self.identity = self._identity()
        self.run_id = hashlib.sha256(f"{self.job.input_name}\x1f{self.identity}".encode()).hexdigest()[:12]

    async def begin(self) -> None:
        """Note in the run log that the run starts, and open its purse."""
        self.runtime.patience.elsewhere = self.server.away
        self.runtime.calls.on_stop(self.stop.interrupt)
        await self._begin(await self._own_budget())
        install(self.runtime)

    async def begin_beside(self, first: Runner) -> None:
        """Begin as a further part of the run another one is a part of, with its purse."""
        budget = first.run.budget
        await self._begin(budget if isinstance(budget, Budget) else None)

    async def _begin(self, budget: Budget | None) -> None:
        is_known = await self.runtime.run_log.has_run(self.run_id)
        await self.enlist()
        capped = self.job.max_usd is not None
        self.run = self._make_run(budget)
        documents = ServerDocuments(
            self.server, graph=self.job.graph, run=self.run, settings=self._sent(), is_known=is_known, budget=budget,
            most_usd=self.offer.most_usd(self.job.context.max_usd_per_document) if capped else 0.0,
        )  # fmt: skip
        self.graph = documents
        self.runtime.calls.on_stop(documents.stop)

    def _sent(self) -> dict[str, Any]:
        """The settings that were given: the server has its own for the rest."""
        return self.job.context.model_dump(mode="json", exclude_unset=True)

    def _models(self) -> TierModels:
        """Who is asked there, as far as the server says so and the settings leave it."""
        offered = {} if self._sent().get("profile") else self.offer.models
        asked = {role: getattr(self.job.context, f"{role}_model") or offered.get(role, "") for role in ROLES}
        named = {role: model for role, model in asked.items() if ":" in model}
        return replace(TierModels(), **named)  # type: ignore[arg-type]  # roles are fields

    def _identity(self) -> str:
        """What decides a result besides the document: the server, its graph and task as they are now, settings and models.

        Not the key: whoever gets a new one goes on with what is there.
        """
        task = next(
            (one.identity for one in self.offer.tasks if one.name == self.job.task.name),
            self.job.task.identity,
        )
        context = self.job.context.deciding(NOT_DECIDING)
        decides: list[Any] = [self.server.url, self.job.graph, task, context, self.offer.models]
        if self.job.output_schema is not None:
            decides.append([dict(self.job.output_schema), self.job.instructions])
        if self.job.near_duplicates is not None:
            decides.append({"near_duplicates": self.job.near_duplicates})
        return hashlib.sha256(compact(decides).encode()).hexdigest()[:16]

    def _run_row(self) -> dict[str, Any]:
        row = super()._run_row()
        settings = {**json.loads(row["settings"]), "server": self.server.url}
        return {**row, "settings": json.dumps(settings, ensure_ascii=False)}

    async def _own_budget(self) -> Budget | None:
        if self.job.max_usd is None:
            return None
        payers = self.purse.payers
        took = [await asyncio.to_thread(self._usage_of_all, payer) for payer in payers]
        spent = account_of_rows(Usage.sum_of(took), who=self.server.host).total_usd
        return Budget(self.job.max_usd, spent_usd=spent)

    async def account(self, usage: Usage, payers: Sequence[str] = ()) -> Account:  # noqa: ARG002 - the server's books are its own
        """What the rows took, as far as it is known here."""
        return account_of_rows(usage, who=self.server.host)

    def _is_offline(self) -> bool:
        return bool(self.models.all()) and is_offline(self.models)

    def notes(self) -> list[str]:
        """What a person should know of the run besides its counts."""
        told = [f"asked of {self.server.url}"]
        if self._is_offline():
            told.append("no language model was asked: the server has none, and fills records by rules")
        return [*told, *sorted(self.tally.notes)]
