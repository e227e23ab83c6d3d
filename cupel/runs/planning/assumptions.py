"""What is taken for granted where the run log has no history yet, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cupel.cascade import read_signals
from cupel.context import RunContext
from cupel.models import ModelId, TierModels
from cupel.runs.planning.estimates import (
    DRAWS,
    Drawn,
    Guess,
    certain,
    draw,
    draw_fates,
    draw_luck,
    draw_to,
    weigh,
    worth_of,
)
from cupel.runs.planning.history import History
from cupel.runs.planning.sizes import ROLES, Role

ESCALATED = Guess(0.0, 0.30, 0.60)
"""Share of documents the strong model is asked about."""

ESCALATED_OFFLINE = Guess(0.20, 0.85, 1.0)
"""The same where the cheap records are the offline baseline's."""

ROUNDS = Guess(0.0, 0.25, 0.80)
"""Refinement rounds per document, half of them on each tier."""

CALLS_RATIO = Guess(0.9, 1.02, 1.15, least=1.0)
"""Calls a step takes, repairs included; in one run of three there is none."""

INPUT_RATIO = Guess(0.70, 1.0, 1.05)
"""Tokens sent against the estimate, which is rather too high: 4 bytes a token, measured 4.6 to 6.1."""

DOUBTED = Guess(0.0, 0.05, 0.20)
"""Share of judged records on which the judge is in doubt, so that a jury sits."""

OUTPUT_RATIO = Guess(0.4, 1.0, 2.5)
"""Tokens answered against the guess from the task's examples."""


def _judges(context: RunContext, jurors: int, rng: np.random.Generator) -> Drawn:
    """Judges asked of each judged record; a juror is priced as the judge is."""
    if not jurors:
        return certain(1.0)
    if context.jury == "always":
        return certain(1.0 + jurors)
    return certain(1.0 + context.audit_share) + draw(DOUBTED, rng) * jurors


class Steps:
    """How often each role is asked per document, and the shares a reader knows the cascade by."""

    def __init__(
        self,
        history: History,
        context: RunContext,
        models: TierModels,
        documents: int,
        rng: np.random.Generator,
        *,
        skipped: float = 0.0,
    ) -> None:
        """Draw them, from the defaults and from what earlier documents took.

        Args:
            history: Of earlier documents.
            context: The run's settings.
            models: Who is asked.
            documents: How many are to come.
            rng: Source of the draws.
            skipped: Share of documents that a pre-router sends to the strong model at once.
        """
        self._walks = history.walks
        if self._walks:
            self._fates = draw_fates([float(walk.total()) for walk in self._walks], documents, rng)
            self._worth = worth_of(len(self._walks), rng)
        # what was seen on a few documents says that this is no extreme case
        luck = draw_luck(rng) * (rng.uniform(size=DRAWS) < 1 / (1 + len(self._walks)))
        nothing = certain(0.0)
        tiers = 2 if models.strong else 1
        by_code = context.judge_way != "criteria"  # what is found of items needs no refiner
        refines = bool(models.judge and (models.refiner or by_code) and context.max_refinements)
        self._judged = certain(1.0 if models.judge else 0.0)
        self._rounds = draw_to(ROUNDS, context.max_refinements * tiers, luck, rng) if refines else nothing
        passed_on = draw_to(escalated_of(models), 1.0, luck, rng) if models.strong else nothing
        self._escalated = certain(skipped) + passed_on * (1 - skipped)
        first = certain(1 - skipped) + early_rounds(self._rounds, models)
        late = self._rounds * (0.5 if models.strong else 0.0)
        # a document that escalates in doubt is judged once, one that was rejected first on both tiers
        again = self._escalated * draw_to(Guess(0.0, 0.0, 1.0), 1.0, luck, rng) if models.judge else nothing
        defaults: dict[Role, Drawn] = {
            "cheap": first,
            "verify": first if models.agreement else nothing,
            "sample": first
            if {"self_consistency", "self_verified"} & set(read_signals(context))
            else nothing,
            "answer": first
            + self._escalated
            + late,  # of a task that asks its questions back, once for each record
            "strong": self._escalated + late,
            "judge": (self._judged + self._rounds + again) * _judges(context, len(models.jury), rng),
            "refine": self._rounds if models.refiner else nothing,
        }
        self.of = {role: self._blend([walk[role] for walk in self._walks], defaults[role]) for role in ROLES}

    def _blend(self, seen: Sequence[float], default: Drawn) -> Drawn:
        """What the earlier documents took of a role, all roles of the same ones in the same draw."""
        if not seen:
            return default
        counts = np.asarray(seen, dtype=np.float64)
        return weigh(Drawn(float(counts.mean()), self._fates @ counts), default, self._worth)

    def shares(self) -> dict[str, Drawn]:
        """Share of documents that are escalated, judged and refined at all."""

        def share(role: Role, default: Drawn) -> Drawn:
            return self._blend([float(walk[role] > 0) for walk in self._walks], default)

        refined = Drawn(self._rounds.point * 0.8, np.minimum(self._rounds.draws * 0.8, 1.0))
        return {
            "escalated": share("strong", self._escalated),
            "judged": share("judge", self._judged),
            "refined": share("refine", refined),  # a document refined twice counts once
        }


def early_rounds(rounds: Drawn, models: TierModels) -> Drawn:
    """Refinement rounds on the cheap tier: half of them where there is another."""
    return rounds * (0.5 if models.strong else 1.0)


def escalated_of(models: TierModels) -> Guess:
    """The default for how many documents escalate: nearly all where rules fill the cheap records."""
    return ESCALATED_OFFLINE if ModelId.parse(models.cheap).provider == "offline" else ESCALATED
