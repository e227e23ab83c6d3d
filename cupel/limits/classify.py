"""What an exception means: for a provider call whether to try again, for a document whose fault it is.

Clients are recognised by the names of their exception classes and by `status_code`, so that none is imported:

    transient     408 409 424 425 429 498 499 5xx, timeouts, connections, a body that is not JSON   try again
    limit         a 429 that names a day, or spent credit                                the run ends, resumable
    refused       401 402 403 404, a 400 about key, model or credit                      the run ends
    bad_request   any other 4xx, a 429 larger than the limit, moderation, a reply cut off by us      this document ends
    machine       open files, memory, room on a disk                                     the run ends, resumable

Of a bad request its words say whose it is (`cupel.limits.wording`): the document's, the schema's, or nobody knows.
Anything else that was raised is told apart by `blame`, which looks at all that lies behind an exception.
"""

from __future__ import annotations

import errno
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Literal

from cupel.errors import (
    BadRequestError,
    CircuitOpenError,
    CupelError,
    DocumentBudgetError,
    MachineError,
    ProviderLimitError,
    ProviderOutageError,
    ProviderRefusedError,
    RecordingMissingError,
    RunLogError,
    SchemaRefusedError,
    chain,
    shortage,
)
from cupel.limits.headers import rejection, retry_after_s, says_daily
from cupel.limits.wording import (
    blames_document,
    blames_grammar,
    blames_key_or_model,
    blames_schema,
    field_in,
    lacks_structured_output,
)

Failure = Literal["transient", "refused", "bad_request", "limit", "machine"]

Blame = Literal["run", "machine", "run_log", "provider", "row", "bug"]
"""Whose an exception is: `run` is an error of ours that ends the run, `bug` a fault of the graph or of Cupel."""

_TRANSIENT_STATUS = frozenset({408, 409, 424, 425, 498, 499})
_UNREACHABLE = frozenset({errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH})
_PASSING_CODES = ("tool_use_failed", "output_parse_failed")
"""Groq's words for a reply of the model's that it would not pass on, with status 400: the next one may do."""

_DATABASE_NAMES = frozenset({"OperationalError", "InterfaceError"})
"""SQLAlchemy's and the drivers' words for a database that is gone, locked or full."""

_ROWS_OWN = (BadRequestError, ProviderOutageError, DocumentBudgetError, RecordingMissingError)
"""Errors of ours that are recorded on a document."""

_SIZE_OR_RATE = frozenset({413, 429})
_REFUSED_STATUS = frozenset({401, 402, 403, 404})
# openai, groq, httpx, httpx2, httpcore, aiohttp, json; found anywhere among a class's bases
_TRANSIENT_NAMES = frozenset(
    {
        "APIConnectionError",
        "APIResponseValidationError",
        "APITimeoutError",
        "ClientConnectionError",
        "ClientPayloadError",
        "JSONDecodeError",
        "TransportError",
    }
)

_DOCUMENTS_NAMES = frozenset({"ReplyCutOffError"})
"""Ours: the provider answers, and would go on answering."""


def status_of(error: BaseException) -> int | None:
    """The HTTP status an exception carries, by whichever name."""
    for name in ("status_code", "status"):
        value = getattr(error, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def headers_of(error: BaseException) -> Mapping[str, str]:
    """The reply headers an exception carries; empty where it has none."""
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or getattr(error, "headers", None)
    return headers if isinstance(headers, Mapping) else {}


def text_of(error: BaseException) -> str:
    """The provider's own words, with its error code and type, for reading and for showing."""
    body = getattr(error, "body", None)
    if not isinstance(body, Mapping):
        said_so = body if isinstance(body, str) else str(error)
        return said_so or type(error).__name__
    inner = body.get("error")
    said = inner if isinstance(inner, Mapping) else body
    parts = [str(said[name]) for name in ("message", "code", "type") if said.get(name) not in (None, "")]
    return " · ".join(dict.fromkeys(parts)) or str(error)


def words_of(error: BaseException) -> str:
    """The same with the parameter it is about, where the provider names one."""
    body = getattr(error, "body", None)
    param = body.get("param") if isinstance(body, Mapping) else None
    return f"{text_of(error)} · {param}" if param else text_of(error)


def asked_wait_s(error: BaseException) -> float | None:
    """Seconds the provider asked to wait, in the headers or the text of its refusal."""
    asked = retry_after_s(headers_of(error), now=time.time())
    return asked if asked is not None else rejection(text_of(error)).wait_s


def classify(error: BaseException) -> Failure | None:
    """What a failure means for the document and the run; `None` for what no provider has raised.

    >>> classify(TimeoutError()), classify(ConnectionResetError()), classify(KeyError("a bug"))
    ('transient', 'transient', None)
    >>> classify(ProviderRefusedError("Insufficient credits"))
    'refused'
    """
    if _is_settled(error):
        return _classify_own(error)
    status = status_of(error)
    if _is_named(error, _DOCUMENTS_NAMES):
        return "bad_request"
    if status is None:
        if shortage(error) is not None:
            return "machine"
        return "transient" if _is_connection_failure(error) else None
    return _classify_429(text_of(error)) if status == 429 else _classify_status(status, error)


def is_transient(error: BaseException) -> bool:
    """Whether the same call may well succeed later.

    >>> is_transient(ProviderOutageError("overloaded")), is_transient(ProviderRefusedError("Invalid API Key"))
    (True, False)
    """
    return classify(error) == "transient"


def translate(error: BaseException, *, model: str) -> CupelError | None:
    """The same failure as one of Cupel's errors; `None` for what no provider has raised."""
    if isinstance(error, CupelError) and _is_settled(error):
        return error
    kind, status = classify(error), status_of(error)
    problem = f"{f'{status}: ' if status else ''}{_short(text_of(error))}"
    if kind == "refused":
        remedy = _remedy(status, text_of(error), model)
        return ProviderRefusedError(f"{problem} ({remedy})", model=model, status=status)
    if kind == "bad_request":
        return _bad_request(error, problem, model)
    if kind == "limit":
        return ProviderLimitError(f"{model}: {problem}", resets_in_s=asked_wait_s(error))
    if kind == "machine":
        return MachineError(shortage(error) or problem)
    return ProviderOutageError(problem, model=model, status=status) if kind == "transient" else None


def blame(error: BaseException) -> Blame:
    """Whose an exception is; where several lie behind it, the gravest of them decides.

    >>> blame(RecursionError()), blame(KeyError("a")), blame(TimeoutError()), blame(MemoryError())
    ('row', 'bug', 'provider', 'machine')
    >>> blame(ExceptionGroup("two", [ValueError(), OSError(24, "Too many open files")]))
    'machine'
    """
    return min((_blame(one) for one in chain(error)), key=_GRAVITY.index)


def ending_of(error: BaseException) -> CupelError | None:
    """The error that ends the run because of this one; None where it is a document's, or its graph's, own."""
    match blame(error):
        case "run":
            return next(one for one in chain(error) if isinstance(one, CupelError) and _blame(one) == "run")
        case "machine":
            return MachineError(shortage(error) or str(error))
        case "run_log":
            ours = (one for one in chain(error) if isinstance(one, RunLogError))
            return next(ours, None) or RunLogError(f"a database cannot be used: {_short(str(error))}")
        case _:
            return None


_GRAVITY: list[Blame] = ["run", "machine", "run_log", "provider", "row", "bug"]


def _blame(error: BaseException) -> Blame:
    """Whose one exception is, whatever lies behind it."""
    if isinstance(error, CupelError) and _is_settled(error):
        if isinstance(error, MachineError | RunLogError):
            return "machine" if isinstance(error, MachineError) else "run_log"
        return _blame_own(error)
    if shortage(error) is not None:
        return "machine"
    if any(base.__name__ in _DATABASE_NAMES for base in type(error).__mro__):
        return "run_log"
    kind = classify(error)
    if kind is not None:
        return "row" if kind == "bad_request" else "provider"
    return "row" if isinstance(error, RecursionError | UnicodeError) else "bug"


def _blame_own(error: CupelError) -> Blame:
    if isinstance(error, _ROWS_OWN):
        return "provider" if isinstance(error, ProviderOutageError) else "row"
    return "run"


def _bad_request(error: BaseException, problem: str, model: str) -> BadRequestError:
    said, status = words_of(error), status_of(error)
    if status not in _SIZE_OR_RATE and blames_schema(said):
        return SchemaRefusedError(problem, model=model, status=status, where=field_in(said))
    own = status in _SIZE_OR_RATE or _is_moderation(error) or blames_document(said)
    return BadRequestError(problem, model=model, status=status, of_document=own)


def _classify_429(text: str) -> Failure:
    if rejection(text).never_fits:
        return "bad_request"
    return "limit" if says_daily(text) else "transient"


def _classify_status(status: int, error: BaseException) -> Failure:
    if 300 <= status < 400:  # a redirect: every other call would be pointed elsewhere too
        return "refused"
    if status in _REFUSED_STATUS:
        return "bad_request" if status == 403 and _is_moderation(error) else "refused"
    if status == 400 and any(code in text_of(error) for code in _PASSING_CODES):
        return "transient"
    if status in (400, 422) and blames_key_or_model(text_of(error)) and not blames_schema(words_of(error)):
        return "refused"
    if status >= 500 and blames_grammar(text_of(error)):
        return "bad_request"  # a server of one's own that cannot make a grammar of the schema: it never will
    # below 400 the client could not read the reply
    return "bad_request" if 400 <= status < 500 and status not in _TRANSIENT_STATUS else "transient"


def _is_settled(error: BaseException) -> bool:
    """Whether an error is already one of ours with a meaning, not what a provider just said."""
    return isinstance(error, CupelError) and not hasattr(error, "status_code")


def _classify_own(error: BaseException) -> Failure | None:
    if isinstance(error, ProviderLimitError):
        return "limit"
    if isinstance(error, ProviderRefusedError):
        return "refused"
    if isinstance(error, ProviderOutageError) and not isinstance(error, CircuitOpenError):
        return "transient"
    if isinstance(error, MachineError):
        return "machine"
    return "bad_request" if isinstance(error, BadRequestError) else None


def _is_connection_failure(error: BaseException) -> bool:
    if isinstance(error, TimeoutError | ConnectionError | ssl.SSLError | socket.gaierror):
        return True
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return True
    return _is_named(error, _TRANSIENT_NAMES)


def _is_named(error: BaseException, names: frozenset[str]) -> bool:
    return any(base.__name__ in names for base in type(error).__mro__)


def _is_moderation(error: BaseException) -> bool:
    text = text_of(error).lower()
    return "moderation" in text or "flagged" in text


def _remedy(status: int | None, text: str, model: str) -> str:
    if status is not None and status < 400:
        return "check the base URL"
    if lacks_structured_output(text):
        return f'choose another model, or have the prompt state the schema: CUPEL_CAPABILITIES="{model}=json_object"'
    if status == 404:
        return "check the model's name"
    if status in (400, 422):
        return "check the key, the model's name and the credit"
    return "add credit or choose another model" if status == 402 else "check the key and what it may use"


def _short(text: str, most: int = 300) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
