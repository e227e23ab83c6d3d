"""What this machine is short of, and how many connections it allows."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys

import pytest

from cupel.errors import SPARE_FILES, connections_at_once, shortage


def test_the_file_is_named_where_the_system_names_it():
    """A person looks there first."""
    said = shortage(OSError(errno.ENOSPC, "No space left on device", "/data/out.jsonl"))

    assert said is not None
    assert "/data/out.jsonl: No space left on device" in said


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.ECONNREFUSED, errno.EADDRNOTAVAIL])
def test_what_is_no_shortage_is_not_taken_for_one(number):
    """A missing file, a closed door, a provider that is away."""
    assert shortage(OSError(number, "…")) is None


def _room(soft: int, hard: int) -> int:
    """What a process of its own may open, under these limits."""
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from cupel.errors import connections_at_once; print(connections_at_once())"
    )
    return int(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )


def test_what_is_open_and_will_be_is_kept_free():
    """Of 64 files, 24 are for other things, and a few are open."""
    assert 30 <= _room(64, 64) <= 64 - SPARE_FILES


def test_the_limit_is_raised_as_far_as_a_process_may():
    """Most systems allow more than they begin with."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    hard = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)

    assert _room(64, hard) > 64


def test_here_there_is_room():
    """None, or a number that is not negative."""
    room = connections_at_once()

    assert room is None or room >= 0
