"""Commands brought to a state in which a signal finds them, and what becomes of them then."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
import sqlalchemy.exc

from cupel.testing.batches import BatchScript
from cupel.testing.clusters import database
from cupel.testing.provider import ScriptedProvider
from tests.integration import forked
from tests.integration.cascade import ACCEPTS, TEXT, record
from tests.integration.conftest import SPEECHES
from tests.integration.improvement import GOOD_RULE, extractor, made_project, rewriter, speeches, write
from tests.integration.own_postgres import own_postgres
from tests.integration.test_run_cli import MODELS, environment

SERVER = os.environ.get("CUPEL_TEST_DATABASE_URL", "postgresql+psycopg://127.0.0.1:5432/test")

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

    finish: Callable[[Scene], tuple[dict[str, int], int]] | None = None
    """What the same command does once it may, where that is not the rest of forty rows; see `resume`."""

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
def own_database() -> Iterator[str]:
    """A database of the test's own on the PostgreSQL of this machine, or a skip."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(database(SERVER))
        except sqlalchemy.exc.SQLAlchemyError as error:
            pytest.skip(f"no PostgreSQL at {SERVER}: {str(error).splitlines()[0]}")
        yield url


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


@contextmanager
def with_its_database_gone(folder: Path) -> Iterator[Scene]:
    """PostgreSQL was killed while answers were on their way; they have come, and cannot be committed."""
    with own_postgres() as server, _provider(latency_s=0.5) as provider:
        scene = Scene(folder, provider, env={"CUPEL_DATABASE_URL": server.url}, package="distributed")

        def heal() -> None:
            server.start()
            provider.latency_s = 0.0

        scene.heal = heal
        scene.start("--concurrency", "4")
        scene.until(lambda: provider.counts.in_flight >= 4)
        server.stop("immediate")
        scene.until(lambda: provider.counts.in_flight == 0)
        yield scene


@contextmanager
def on_a_cluster(folder: Path) -> Iterator[Scene]:
    """Dask workers of the run's own have requests at the provider."""
    with own_database() as url, _provider(latency_s=1.0) as provider:
        scene = Scene(folder, provider, env={"CUPEL_DATABASE_URL": url}, package="distributed")
        scene.heal = lambda: setattr(provider, "latency_s", 0.0)
        scene.start("--concurrency", "4", "--engine", "dask")
        scene.until(lambda: provider.counts.in_flight >= 1)
        yield scene


@contextmanager
def at_review(folder: Path) -> Iterator[Scene]:
    """A campaign has a nominee, and a person at the terminal is asked whether to promote it."""
    study = made_project(folder / "study")
    write(study.folder / "speeches.jsonl", speeches(30))
    with _provider(answer=_in_a_campaign) as provider, Terminal() as terminal:
        scene = Scene(folder, provider)
        command = [sys.executable, "-m", "cupel", "improve", "speeches.jsonl", "--task", "stance", *_CAMPAIGN]
        env = environment(provider)
        scene.process = subprocess.Popen(
            command, cwd=study.folder, env=env, text=True, stdin=terminal.inner, stdout=subprocess.PIPE,
            stderr=terminal.inner,
        )  # fmt: skip
        scene.process = Watched(scene.process, terminal)
        scene.until(lambda: "Promote " in terminal.said())

        def finish(_scene: Scene) -> tuple[dict[str, int], int]:
            done = subprocess.run(
                command, cwd=study.folder, env=env, text=True, capture_output=True, check=False, timeout=120
            )
            assert "cupel prompts promote" in done.stderr, done.stderr
            return {"accepted": 1}, provider.counts.billed_repeats

        scene.finish = finish
        yield scene


_CAMPAIGN = [
    *("--cheap-model", "openai:cheap", "--refiner-model", "openai:refiner", "--strong-model", "none"),
    *("--judge-model", "none"),
]


def _in_a_campaign(body: dict[str, Any]) -> Any:
    """The cheap model of `improvement`, and its rewriter."""
    say = rewriter(GOOD_RULE) if body["model"] == "refiner" else extractor
    return say(body["messages"], None)


class Terminal:
    """A terminal at which a command sits; what it says there is read as it comes."""

    def __enter__(self) -> Self:
        self._outer, self.inner = os.openpty()
        os.set_blocking(self._outer, False)
        self._said = ""
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._outer)
        os.close(self.inner)

    def said(self) -> str:
        """All that was said so far."""
        with suppress(BlockingIOError):
            while piece := os.read(self._outer, 4096):
                self._said += piece.decode()
        return self._said


class Watched:
    """A process whose stderr is a terminal; as much of `subprocess.Popen` as a scene asks of it."""

    def __init__(self, process: subprocess.Popen[str], terminal: Terminal) -> None:
        self._process, self._terminal = process, terminal
        self.poll, self.kill, self.send_signal = process.poll, process.kill, process.send_signal

    @property
    def returncode(self) -> int | None:
        """How it ended."""
        return self._process.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Its stdout and what it said at the terminal, once it has ended."""
        stdout, _ = self._process.communicate(timeout=timeout)
        return stdout, self._terminal.said()


STATES = {
    state.__name__: state
    for state in (
        sending,
        waiting_for_a_limit,
        with_an_open_circuit,
        committing,
        writing,
        planning,
        at_review,
        in_a_batch,
        on_a_cluster,
        with_its_database_gone,
    )
}
SIGNALS = {"INT": signal.SIGINT, "TERM": signal.SIGTERM, "HUP": signal.SIGHUP}


def resume(scene: Scene) -> tuple[dict[str, int], int]:
    """The same command again: its statuses, and how many answers were paid twice in all."""
    scene.heal()
    if scene.finish is not None:
        return scene.finish(scene)
    done = forked.run(
        ["cupel", "run", *scene.args], cwd=scene.folder, env=environment(scene.provider, **scene.env),
        package=scene.package,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["statuses"], scene.provider.counts.billed_repeats


__all__ = ["SIGNALS", "SPEECHES", "STATES", "Ending", "Scene", "interrupt", "locked", "resume"]
