"""Commands brought to a state in which a signal finds them, and what becomes of them then."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cupel.testing.batches import BatchScript
from cupel.testing.provider import ScriptedProvider
from tests.integration import forked
from tests.integration.cascade import ACCEPTS, TEXT, record
from tests.integration.conftest import SPEECHES
from tests.integration.test_run_cli import MODELS, environment, run

HOLD_S = 10.0
"""How long a batch job takes."""

ASKED = ["in.jsonl", "--out", "out.jsonl", "--json", "--no-report", "--timeout-s", "60", *MODELS]


def answer(body: dict[str, Any]) -> Any:
    """Records for extraction, acceptance from the judge."""
    schema = body["response_format"]["json_schema"]["schema"]
    return ACCEPTS if "told_apart" in schema["properties"] else record()


@dataclass
class Scene:
    """A folder, a provider, and a command that is in some state."""

    folder: Path
    provider: ScriptedProvider
    args: list[str] = field(default_factory=lambda: list(ASKED))
    env: dict[str, str] = field(default_factory=dict)
    package: str = "cupel"
    process: Any = None
    heal: Callable[[], None] = lambda: None
    """Ends what the state is made of."""

    def start(self, *more: str) -> None:
        """Start the command."""
        self.process = forked.Forked(
            ["cupel", "run", *self.args, *more], cwd=self.folder,
            env=environment(self.provider, **self.env), package=self.package,
        )  # fmt: skip

    def until(self, reached: Callable[[], bool], patience_s: float = 60.0) -> None:
        """Wait for a state of the command."""
        ends = time.monotonic() + patience_s
        while not reached():
            if self.process.poll() is not None:
                raise AssertionError(f"it ended before: {self.process.communicate()}")
            if time.monotonic() > ends:
                self.process.kill()
                raise AssertionError(f"not reached: {self.provider.counts}")
            time.sleep(0.01)


@dataclass(frozen=True)
class Ending:
    """How a command took its signals."""

    code: int
    stdout: str
    stderr: str
    took_s: float
    """From the last signal to its end."""

    sent_later: int
    """Requests that reached the provider a moment after the first signal, or later."""

    in_flight: int
    """Requests under way at the last signal."""


def interrupt(scene: Scene, number: int, times: int, apart_s: float = 0.4) -> Ending:
    """Send a signal once or twice, and wait for the end."""
    flying, began = scene.provider.counts.in_flight, time.monotonic()
    scene.process.send_signal(number)
    time.sleep(apart_s)  # what was on its way as the signal came
    asked = _asked(scene)
    if times == 2:
        flying, began = scene.provider.counts.in_flight, time.monotonic()
        scene.process.send_signal(number)
    stdout, stderr = scene.process.communicate(timeout=60)
    took_s = time.monotonic() - began
    return Ending(scene.process.returncode, stdout, stderr, took_s, _asked(scene) - asked, flying)


def _asked(scene: Scene) -> int:
    return scene.provider.counts.requests + scene.provider.batches.counts.jobs


@contextmanager
def _provider(**how: Any) -> Iterator[ScriptedProvider]:
    with ScriptedProvider(how.pop("answer", answer), **how) as provider:
        yield provider


@contextmanager
def sending(folder: Path) -> Iterator[Scene]:
    """Requests are at the provider, which takes two seconds; some have landed."""
    with _provider(latency_s=2.0) as provider:
        scene = Scene(folder, provider)
        scene.heal = lambda: setattr(provider, "latency_s", 0.0)
        scene.start("--concurrency", "4")
        scene.until(lambda: provider.counts.in_flight >= 4)
        yield scene


@contextmanager
def waiting_for_a_limit(folder: Path) -> Iterator[Scene]:
    """Six requests a minute are allowed, and more wait for their turn."""
    with _provider(latency_s=0.02) as provider:
        scene = Scene(folder, provider)
        scene.env["CUPEL_LIMITS"] = "openai:*=rpm:6"
        scene.heal = scene.env.clear
        scene.start("--concurrency", "16")
        scene.until(lambda: provider.counts.requests >= 6)
        yield scene


@contextmanager
def with_an_open_circuit(folder: Path) -> Iterator[Scene]:
    """The provider fails every call, and is left alone for a while."""
    with _provider(faults={"http_503": 1.0}) as provider:
        scene = Scene(folder, provider)
        scene.start("--concurrency", "16")
        scene.until(lambda: provider.counts.requests >= 8)
        time.sleep(1.0)
        scene.heal = provider.faults.clear
        yield scene


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the run log for itself."""
    holder = sqlite3.connect(path, timeout=10, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.close()


@contextmanager
def committing(folder: Path) -> Iterator[Scene]:
    """Answers have come and cannot be committed: another program has locked the run log."""
    with _provider(latency_s=0.3) as provider, ExitStack() as stack:
        scene = Scene(folder, provider)
        scene.start("--concurrency", "4")
        scene.until(lambda: provider.counts.in_flight >= 4)
        stack.enter_context(locked(folder / ".cupel" / "runlog.sqlite"))
        scene.until(lambda: provider.counts.in_flight == 0)
        scene.heal = stack.close
        yield scene


@contextmanager
def writing(folder: Path) -> Iterator[Scene]:
    """Everything is answered already, and the rows are being written."""
    rows = [{"id": f"w{n}", "text": f"{TEXT} Number {n % 40}."} for n in range(4_000)]
    (folder / "in.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    with _provider() as provider:
        scene = Scene(folder, provider)
        scene.start()
        part = folder / ".out.jsonl.part"
        scene.until(lambda: part.exists() and part.stat().st_size > 10_000)
        yield scene


@contextmanager
def planning(folder: Path) -> Iterator[Scene]:
    """Nothing was asked yet: the run log has just been made, the graph is being loaded, the run is planned."""
    with _provider() as provider:
        scene = Scene(folder, provider)
        scene.start()
        scene.until((folder / ".cupel" / "runlog.sqlite").exists)
        yield scene


@contextmanager
def in_a_batch(folder: Path) -> Iterator[Scene]:
    """A batch job is at the provider, and takes its time."""
    script = BatchScript(takes_s=HOLD_S)
    with _provider(batches=script) as provider:
        scene = Scene(folder, provider)
        scene.args += ["--batch", "--batch-poll-s", "0.1"]
        scene.start()
        scene.until(lambda: provider.batches.counts.jobs >= 1)
        scene.heal = lambda: setattr(script, "takes_s", 0.1)
        yield scene


STATES = {
    state.__name__: state
    for state in (
        sending,
        waiting_for_a_limit,
        with_an_open_circuit,
        committing,
        writing,
        planning,
        in_a_batch,
    )
}
SIGNALS = {"INT": signal.SIGINT, "TERM": signal.SIGTERM, "HUP": signal.SIGHUP}


def resume(scene: Scene) -> tuple[dict[str, int], int]:
    """The same command again: its statuses, and how many answers were paid twice in all."""
    scene.heal()
    done = run(scene.folder, *scene.args, provider=scene.provider, **scene.env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["statuses"], scene.provider.counts.billed_repeats


__all__ = ["SIGNALS", "SPEECHES", "STATES", "Ending", "Scene", "interrupt", "locked", "resume"]
