"""What the first answers of a model say of its requests: what all of them are refused for is no document's fault."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from cupel.engine.requests import Request
from cupel.errors import BadRequestError, ModelError, ProviderRefusedError, SchemaRefusedError
from cupel.models import capabilities
from cupel.task import sent_schema

AGREEING = 5
"""So many first answers that refuse the schema are enough."""

_OWN_SCHEMAS = ("extract", "repair")
"""Kinds of calls whose schema is the task's; the others' are Cupel's."""


@dataclass(slots=True)
class FirstAnswers:
    """Of the calls of one event loop, by model, address and schema."""

    _answered: set[tuple[str, str]] = field(default_factory=set)
    _models: set[str] = field(default_factory=set)
    _refused: dict[tuple[str, str], list[tuple[Request, SchemaRefusedError]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def note_answer(self, request: Request) -> None:
        """The model took the request, whatever it made of it: its schema is none that it refuses."""
        self._models.add(request.asked_of)
        self._answered.add(_key(request))
        self._refused.pop(_key(request), None)

    def judge(self, request: Request, error: ModelError) -> ModelError:
        """Whose a refusal is: the run's where the first answers agree, else the document's; returned, to be raised."""
        if isinstance(error, SchemaRefusedError) and _key(request) not in self._answered:
            refused = self._refused[_key(request)]
            if len(refused) < AGREEING:
                refused.append((request, error))
            return _of_the_run(request, error) if len(refused) >= AGREEING else error
        if (
            isinstance(error, ProviderRefusedError)
            and error.status in (400, 422)
            and request.asked_of in self._models
        ):
            # by words only, of a model that has answered: they may be the document's that the provider repeats
            return BadRequestError(str(error), status=error.status)
        return error

    def is_undecided(self, request: Request) -> bool:
        """Whether its schema was refused, and nobody knows yet whose fault that is."""
        return _key(request) in self._refused

    def refusal(self) -> ProviderRefusedError | None:
        """What ends a run of fewer answers, where all of a model's refused its schema; None where none is."""
        for refused in self._refused.values():
            return _of_the_run(*refused[0])
        return None


def _key(request: Request) -> tuple[str, str]:
    return request.asked_of, "" if request.schema is None else sent_schema(request.schema)[1]


def _of_the_run(request: Request, error: SchemaRefusedError) -> ProviderRefusedError:
    field = f", at the field {error.where}" if error.where else ""
    lesser = "text" if capabilities(request.model).structured == "json_object" else "json_object"
    mend = "change the schema there, or have" if request.kind in _OWN_SCHEMAS else "have"
    return ProviderRefusedError(
        f"it refuses the schema of every {request.kind} request{field}: {error.problem}. To mend it, {mend} the prompt state "
        f'the schema instead: CUPEL_CAPABILITIES="{request.model}={lesser}"',
        model=request.model,
        status=error.status,
    )
