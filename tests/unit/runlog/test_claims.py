"""Claims: one process asks, the others wait."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from cupel.runlog.claims import Claims

KEY, OTHER = "1f" * 32, "2e" * 32


@pytest.fixture
def url(tmp_path):
    """An SQLite run log's."""
    return f"sqlite:///{tmp_path / 'runlog.sqlite'}"


@pytest.fixture
def neighbour(url):
    """Another process that has claimed KEY, and holds it until it is killed."""
    script = f"""
        from cupel.runlog.claims import Claims
        print(Claims({url!r}).take({KEY!r}), flush=True)
        input()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def test_what_another_process_asks_is_not_asked_here_until_it_ends(url, neighbour):
    """Killed, it leaves no claim behind; another request was never in the way."""
    claims = Claims(url)

    assert (claims.take(KEY), claims.take(OTHER)) == (False, True)
    neighbour.kill()
    neighbour.wait()
    assert claims.take(KEY)
    claims.close()


def test_what_is_given_back_another_process_may_ask(url):
    """Closing one of two run logs of a process gives nothing of the other's back."""
    first, second = Claims(url), Claims(url)
    assert first.take(KEY)
    assert second.take(OTHER)
    second.close()
    script = (
        f"from cupel.runlog.claims import Claims; print(*map(Claims({url!r}).take, [{KEY!r}, {OTHER!r}]))"
    )
    ask = [sys.executable, "-c", script]
    while_held = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()
    first.give_back(KEY)
    afterwards = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()
    first.close()

    assert while_held[0] == "False"
    assert afterwards[0] == "True"


def test_without_a_file_every_claim_is_granted():
    """PostgreSQL has none."""
    claims = Claims("postgresql+psycopg://127.0.0.1/none")

    assert claims.take(KEY)
    assert claims.take(KEY)
    claims.give_back(KEY)
    claims.close()
