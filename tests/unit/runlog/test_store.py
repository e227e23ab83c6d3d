"""The run log as several processes use it."""

from __future__ import annotations

import asyncio

from cupel.runlog.store import RunLog


async def test_two_runs_may_start_as_the_same_run_at_once(tmp_path):
    """Of eight that start the very same run none stumbles over another, and it is there once."""
    logs = [RunLog(f"sqlite:///{tmp_path / 'runlog.sqlite'}") for _ in range(8)]
    row = {"run_id": "r", "task": "arguments", "task_identity": "", "input_name": "in", "settings": "{}"}
    try:
        for number in range(5):
            started = ({**row, "run_id": f"r{number}", "output_name": f"out{n}"} for n in range(8))
            await asyncio.gather(*(log.start_run(each) for log, each in zip(logs, started, strict=True)))
        found = sorted(run["run_id"] for run in logs[0].runs())
    finally:
        for log in logs:
            log.close()

    assert found == ["r0", "r1", "r2", "r3", "r4"]
