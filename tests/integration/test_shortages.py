"""This machine is short of files or of room: the run says so and ends, no row is failed for it, and nothing is paid again."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager

import pytest

from cupel.testing.provider import ScriptedProvider
from tests.integration.cascade import TEXT
from tests.integration.test_run_cli import UNJUDGED, answer, environment, run

ASKED = ["in.jsonl", "--task", "arguments", "--json", *UNJUDGED]


@pytest.mark.soak
@pytest.mark.parametrize(("files", "ends"), [(64, {0, 6}), (1024, {0})])
def test_with_few_files_allowed_fewer_documents_are_worked_on_at_once(tmp_path, files, ends):
    """`--concurrency 2048` under a low `ulimit -n`: what fits is done, and said."""
    speeches = [{"id": f"s{n}", "text": f"{TEXT} This is speech number {n}."} for n in range(400)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(speech) + "\n" for speech in speeches))
    command = [sys.executable, "-m", "cupel", "run", *ASKED, "--no-report", "--concurrency", "2048"]
    with ScriptedProvider(answer, latency_s=0.2) as provider:
        short = subprocess.run(
            command, cwd=tmp_path, env=environment(provider), capture_output=True, text=True, check=False, timeout=120,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)),
        )  # fmt: skip
        again = run(tmp_path, *ASKED, "--no-report", provider=provider)
        repeats = provider.counts.billed_repeats

    assert short.returncode in ends, short.stderr
    assert "Traceback" not in short.stderr
    assert "failed" not in (json.loads(short.stdout)["statuses"] if short.stdout else {})
    assert "ulimit -n" in short.stdout + short.stderr
    assert json.loads(again.stdout)["statuses"] == {"accepted": 400}
    assert repeats == 0


@contextmanager
def small_disk(path, room):
    """A file system of two megabytes at a path, filled but for so many bytes; yields what frees it."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    path.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    filler = path / "filler"
    try:
        filler.write_bytes(bytes(2 * 1024**2 - room))
        yield filler.unlink
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


PLACES = {
    # where the disk is full, how much room is left, and the exit code
    "the run log": (".cupel", 160_000, 6),
    "the output": ("out", 8_192, 6),
    "the report": (".cupel/reports", 0, 0),
}


@pytest.mark.soak
@pytest.mark.parametrize("place", PLACES)
def test_a_disk_that_is_full_fails_no_row_and_costs_nothing_twice(folder, place):
    """With room for it the same command does the rest; a report that could not be written is a note."""
    where, room, code = PLACES[place]
    (folder / "out").mkdir()
    asked = [*ASKED, "--out", "out/rows.jsonl"]
    with ScriptedProvider(answer) as provider, small_disk(folder / where, room) as make_room:
        full = run(folder, *asked, provider=provider, CUPEL_RUN_LOG_WAIT_S="1")
        make_room()
        again = run(folder, *asked, provider=provider)
        billed = provider.counts.billed

    assert full.returncode == code, (full.stdout, full.stderr)
    assert "Traceback" not in full.stderr
    assert "room" in full.stderr or "full" in full.stderr or "No space" in full.stderr
    assert "failed" not in (json.loads(full.stdout)["statuses"] if full.stdout else {})
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["statuses"] == {"accepted": 40}
    assert billed == 40
