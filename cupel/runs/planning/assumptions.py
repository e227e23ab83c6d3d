"""What is taken for granted where the run log has no history yet, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cupel.context import RunContext
from cupel.models import TierModels
from cupel.runs.planning.estimates import Drawn, Guess, blend, certain, draw, mean_of
from cupel.runs.planning.history import History
from cupel.runs.planning.sizes import ROLES, Role

ESCALATED = Guess(0.10, 0.30, 0.60)
"""Share of documents the strong model is asked about."""

ROUNDS = Guess(0.0, 0.25, 0.80)
"""Refinement rounds per document, half of them on each tier."""

CALLS_RATIO = Guess(1.0, 1.02, 1.15)
"""Calls a step takes, repairs included."""

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
        self, history: History, context: RunContext, models: TierModels, documents: int, rng: np.random.Generator
    ) -> None:  # fmt: skip
        self._walks, self._documents, self._rng = history.walks, documents, rng
        self._judged = certain(1.0 if models.judge else 0.0)
        refines = bool(models.judge and models.refiner and context.max_refinements)
        self._rounds = draw(ROUNDS, rng) if refines else certain(0.0)
        self._escalated = draw(ESCALATED, rng) if models.strong else certain(0.0)
        late = self._rounds * 0.5 if models.strong else certain(0.0)
        early = self._rounds * 0.5 if models.strong else self._rounds
        defaults: dict[Role, Drawn] = {
            "cheap": certain(1.0) + early,
            "verify": certain(1.0) + early if models.agreement else certain(0.0),
            "strong": self._escalated + late,
            "judge": (self._judged + self._rounds) * _judges(context, len(models.jury), rng),
            "refine": self._rounds,
        }
        self.of = {role: self._blend([walk[role] for walk in self._walks], defaults[role]) for role in ROLES}

    def _blend(self, seen: Sequence[float], default: Drawn) -> Drawn:
        if not seen:
            return default
        return blend(mean_of(seen, self._documents, self._rng), default, len(seen), self._rng)

    def shares(self) -> dict[str, Drawn]:
        """Share of documents that are escalated, judged and refined at all."""

        def share(role: Role, default: Drawn) -> Drawn:
            return self._blend([float(walk[role] > 0) for walk in self._walks], default)

        return {
            "escalated": share("strong", self._escalated),
            "judged": share("judge", self._judged),
            "refined": share("refine", self._rounds * 0.8),  # a document refined twice counts once
        }
