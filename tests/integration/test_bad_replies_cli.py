"""`cupel run` against a provider that talks nonsense, and on a run log that is none."""

from __future__ import annotations

import itertools
import json

from cupel.testing.provider import ScriptedProvider
from cupel.testing.replies import RawReply, completion
from tests.integration.cascade import record
from tests.integration.test_run_cli import UNJUDGED, answer, run

ODD_HEADERS = [
    {},
    {"x-ratelimit-limit-requests": "0", "x-ratelimit-remaining-requests": "0"},
    {"x-ratelimit-limit-requests": "-30", "x-ratelimit-remaining-requests": "-1"},
    {"x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "NaN", "retry-after": "soon"},
    {"x-ratelimit-limit-tokens": "1e400", "x-ratelimit-reset-tokens": "-6m0s", "retry-after": "-3"},
    # more left than there is, and still an hour until it is whole again
    {
        "x-ratelimit-limit-requests": "90000",
        "x-ratelimit-remaining-requests": "180000",
        "x-ratelimit-reset-requests": "1h0m0s",
    },
    # a provider that lives in 1999, and one that lives in 2100
    {
        "x-ratelimit-limit": "90000",
        "x-ratelimit-remaining": "89000",
        "x-ratelimit-reset": "946684799000",
        "date": "Fri, 31 Dec 1999 23:59:00 GMT",
    },
    {"x-ratelimit-limit": "90000", "x-ratelimit-remaining": "89000", "x-ratelimit-reset": "4102444800000"},
]


def test_nonsense_in_replies_loses_nothing_and_holds_nobody_up(folder):
    """HTML, half a JSON, closed connections and limits that are absurd or contradict each other lose nothing."""
    odd = itertools.cycle(ODD_HEADERS)

    def nonsense(body):
        return RawReply(body=completion(body, record(), None), headers=next(odd))

    faults = {"html": 0.1, "truncated_body": 0.1, "close": 0.1}
    with ScriptedProvider(nonsense, faults=faults) as provider:
        done = run(folder, "in.jsonl", "--json", *UNJUDGED, provider=provider)
        counts = provider.counts

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statuses"] == {"accepted": 40}
    assert all(counts.by_fault[name] for name in faults)
    assert counts.billed_repeats <= counts.by_fault["truncated_body"]  # billed, and never arrived whole


def test_a_corrupt_run_log_is_said_before_anything_is_paid(folder):
    """The error says where it is and what to do with it; the file is left as it was."""
    (folder / ".cupel").mkdir()
    path = folder / ".cupel" / "runlog.sqlite"
    path.write_bytes(b"no database " * 500)
    with ScriptedProvider(answer) as provider:
        done = run(folder, "in.jsonl", *UNJUDGED, provider=provider)
        asked = provider.counts.requests

    assert done.returncode == 6
    assert "runlog.sqlite is damaged or no database" in done.stderr
    assert "cupel runlog repair" in done.stderr
    assert "Traceback" not in done.stderr
    assert asked == 0
    assert path.read_bytes() == b"no database " * 500
