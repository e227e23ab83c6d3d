"""What a provider can do wrong: the faults of `ScriptedProvider`, and which attempt gets which."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cupel.errors import SettingError

STATUSES: Mapping[str, tuple[int, str]] = {
    "http_400": (400, "invalid_request_error"),
    "http_401": (401, "invalid_api_key"),
    "http_404": (404, "model_not_found"),
    "http_413": (413, "request_too_large"),
    "http_429": (429, "rate_limit_exceeded"),
    "http_500": (500, "server_error"),
    "http_502": (502, "bad_gateway"),
    "http_503": (503, "service_unavailable"),
}
"""Refused before anything is generated: not billed."""

UNBILLED = ("hang", "close", "html", "error_in_200", "json_validate_failed")
"""No answer, a broken connection, or an error in the body: not billed either."""

BILLED = (
    "truncated_body",
    "truncated_json",
    "invalid_json",
    "fenced_json",
    "refusal",
    "empty_choices",
    "null_content",
    "content_filter",
    "no_usage",
)
"""A billed answer that does not arrive, or is of little use."""

FAULTS: tuple[str, ...] = (*STATUSES, *UNBILLED, *BILLED)


def check_faults(*named: Mapping[str, object]) -> None:
    """Refuse a misspelt fault, which would never happen.

    Raises:
        SettingError: Naming the fault and the ones there are.
    """
    for name in (name for names in named for name in names):
        if name not in FAULTS:
            raise SettingError(f"no fault named {name!r}; the faults are {', '.join(FAULTS)}")


def choose_fault(
    identity: str, attempt: int, *, faults: Mapping[str, float], fail_first: Mapping[str, int], seed: int
) -> str | None:
    """The fault of this attempt, drawn from seed, request and attempt: the same in every run and order.

    Args:
        identity: Hash of the request.
        attempt: 1 for the first time this request is seen.
        faults: Fault to its probability.
        fail_first: Fault to the number of first attempts of every request that get it.
        seed: Changes which requests are hit.
    """
    for name, times in fail_first.items():
        if attempt <= times:
            return name
    at, passed = draw(f"{seed}/{attempt}/{identity}"), 0.0
    for name, share in faults.items():
        passed += share
        if at < passed:
            return name
    return None


def draw(name: str) -> float:
    """A number in [0, 1) that is as good as random, and always the same for one name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
