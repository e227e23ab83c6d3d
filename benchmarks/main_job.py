"""The main job's bars on real speeches: every row an outcome, gold in gold out, windows, languages, kill -9.

    CUPEL_BENCH_DATA=DIR CUPEL_BENCH_PROVIDER=fake_provider.py python benchmarks/main_job.py [PART …]

Parts: plain, gold, long, languages, kills. The provider is started on a free loopback port and ended again. It makes
its answers up: nothing here says anything about quality. Exits with 1 when a bar is missed.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("CUPEL_BENCH_DATA", "."))
PROVIDER = os.environ.get("CUPEL_BENCH_PROVIDER", "")
MODELS = [
    part for role in ("cheap", "strong", "judge", "refiner") for part in (f"--{role}-model", f"openai:{role}")
]
CRITERIA = ("told_apart", "nothing_missing", "only_statements", "one_each", "support_fits", "stance_fits")
CONCURRENCY = 16
missed: list[str] = []


def bar(name: str, measured: object, *, holds: bool, wanted: str) -> None:
    """Print one line of the table, and remember a miss."""
    print(f"{'ok  ' if holds else 'MISS'} {name}: {measured} (bar: {wanted})", flush=True)
    if not holds:
        missed.append(name)


@contextmanager
def provider(*options: str) -> Iterator[str]:
    """The fake provider on a free port."""
    process = subprocess.Popen(
        [sys.executable, PROVIDER, "--port", "0", "--set", "ttft_ms=50", *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield json.loads(process.stdout.readline())["listening"]  # type: ignore[union-attr]
    finally:
        process.terminate()
        process.wait()


def stats(url: str) -> dict[str, Any]:
    """What the provider counted."""
    with urllib.request.urlopen(f"{url}/stats", timeout=10) as answer:  # noqa: S310 - loopback
        counted: dict[str, Any] = json.load(answer)
    return counted


def command(url: str, source: Path, *more: str) -> tuple[list[str], dict[str, str]]:
    """`cupel run` on a file, against the provider."""
    args = [
        sys.executable,
        "-m",
        "cupel",
        "run",
        str(source),
        "--task",
        "arguments",
        "--out",
        "out.jsonl",
        "--json",
    ]
    env = {**os.environ, "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "fake"}
    return [*args, "--concurrency", str(CONCURRENCY), "--no-report", *MODELS, *more], env


def run(url: str, folder: Path, source: Path, *more: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run it to its end: the summary and the rows."""
    args, env = command(url, source, *more)
    done = subprocess.run(args, cwd=folder, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout), read(folder / "out.jsonl")


def read(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as a JSONL file."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def gold_answer(text: str) -> dict[str, Any]:
    """A made-up gold record (the first sentences as claims and a premise), and the judge's answer to it."""
    sentences = [each for each in re.split(r"(?<=[.!?])\s+", text.strip()) if len(each) > 20] or [
        text.strip()
    ]
    finding = {"reasoning": "as it should be", "evidence_quote": None, "finding": "pass"}
    record = {
        "matter": "the debate",
        "claims": [{"id": n + 1, "quote": quote} for n, quote in enumerate(dict.fromkeys(sentences[:3]))],
        "premises": [{"quote": sentences[-1], "supports": 1}] if sentences[-1] not in sentences[:3] else [],
        "stance": "support",
    }
    return {**record, **dict.fromkeys(CRITERIA, finding)}


def speeches() -> tuple[Path, list[dict[str, Any]]]:
    """The English speeches of 2025."""
    source = DATA / "eu_debates_2025" / "dev.jsonl"
    return source, read(source)


def every_row_has_an_outcome(folder: Path) -> None:
    """Made-up answers: whatever they are, order and ids are kept and no row is dropped."""
    source, rows = speeches()
    with provider() as url:
        summary, out = run(url, folder, source)
    same = [row["id"] for row in out] == [row["id"] for row in rows]
    settled = all(row["arguments_status"] in ("accepted", "needs_review", "failed") for row in out)
    bar(
        "every row an outcome, order and ids kept",
        summary["statuses"],
        holds=same and settled,
        wanted=f"{len(rows)} rows",
    )


def gold_in_gold_out(folder: Path) -> None:
    """Gold answers without errors: accepted, and equal to gold."""
    source, rows = speeches()
    gold = {row["id"]: gold_answer(row["text"]) for row in rows}
    answers = write(folder / "gold.jsonl", [{"id": key, "answer": value} for key, value in gold.items()])
    with provider("--answers", str(answers)) as url:
        _, out = run(url, folder, source)
    fields = ("matter", "claims", "premises", "stance")
    good = sum(
        row["arguments_status"] == "accepted"
        and row["arguments"] == {name: gold[row["id"]][name] for name in fields}
        for row in out
    )
    bar("gold accepted and equal", f"{good} of {len(rows)}", holds=good >= 0.99 * len(rows), wanted="≥ 99 %")


def offsets_hold(folder: Path, source: Path, name: str) -> None:
    """Every quote called verbatim or normalised stands at its offsets in the text as given."""
    with provider() as url:
        run(url, folder, source, "--judge", "never")
    texts = {row["id"]: row["text"] for row in read(source)}
    checked = wrong = absent = 0
    for doc_id, outcome in stored_outcomes(folder):
        for entry in outcome["evidence"]:
            checked += 1
            absent += entry["match"] == "absent"
            if entry["match"] == "verbatim":
                wrong += texts[doc_id][entry["start"] : entry["end"]] != entry["quote"]
    measured = f"{checked} quotes, {wrong} at wrong offsets, {absent} not found"
    bar(name, measured, holds=checked > 0 and wrong == 0 and absent == 0, wanted="all at their offsets")


def stored_outcomes(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Outcomes of the newest run, from its run log."""
    from cupel.runlog.store import open_run_log

    log = open_run_log(folder / ".cupel", {})
    try:
        for _, outcome, _ in log.run_outcomes(log.runs()[0]["run_id"]):
            yield outcome["doc_id"], dict(outcome)
    finally:
        log.close()


def a_long_text(folder: Path) -> None:
    """100,000 characters made of speeches, read in windows."""
    _, rows = speeches()
    text = ""
    for row in rows:
        text += row["text"] + "\n"
        if len(text) >= 100_000:
            break
    source = write(folder / "long.jsonl", [{"id": "long", "text": text[:100_000]}])
    offsets_hold(folder, source, "100,000 characters in windows")


def other_languages(folder: Path) -> None:
    """Twenty speeches in other languages."""
    rows = read(DATA / "eu_debates_2025" / "other_languages.jsonl")
    chosen = random.Random(7).sample(rows, 20)
    offsets_hold(folder, write(folder / "languages.jsonl", chosen), "20 speeches in other languages")


def kills(folder: Path, times: int = 10, source: Path | None = None) -> None:
    """Kill -9 at random instants of a run, each some paid calls and a moment after its start, resumed each time."""
    source = source or speeches()[0]
    rng, killed_at, in_flight, answering = random.Random(3), [], [], 0
    with provider() as url:
        args, env = command(url, source)
        while len(killed_at) < times:
            process = subprocess.Popen(
                args, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            wanted = stats(url)["billed"] + rng.randint(0, 3 * CONCURRENCY)
            while stats(url)["billed"] < wanted and process.poll() is None:
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 0.05))
            if process.poll() is not None:
                break
            process.send_signal(signal.SIGSTOP)  # so that what is counted is what the kill finds
            counted = stats(url)
            in_flight.append(counted["billed_unique"] - stored_responses(folder))
            answering += counted["in_flight"]
            killed_at.append(counted["billed"])
            process.send_signal(signal.SIGKILL)
            process.wait()
        _, out = run(url, folder, source)
        repeats = stats(url)["billed_repeats"]
    rows = read(source)
    lost = len(rows) - sum(row["arguments_status"] in ("accepted", "needs_review", "failed") for row in out)
    wanted = f"{times} kills, 0 lost, repeats ≤ in flight, at most {CONCURRENCY} at each"
    measured = f"{len(rows)} documents, {len(killed_at)} kills, {lost} lost, {repeats} paid twice, {sum(in_flight)} sent and "
    measured += (
        f"not yet stored ({answering} of them still at the provider), killed after {killed_at} paid calls"
    )
    holds = lost == 0 and repeats <= sum(in_flight) and max(in_flight) <= CONCURRENCY
    bar("kill -9", measured, holds=len(killed_at) == times and holds, wanted=wanted)


def stored_responses(folder: Path) -> int:
    """How many answers a run log holds."""
    log = folder / ".cupel" / "runlog.sqlite"
    if not log.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as connection:
        try:
            found: int = connection.execute("SELECT count(*) FROM responses").fetchone()[0]
        except sqlite3.OperationalError:  # killed before its tables were there
            return 0
    return found


PARTS = {
    "plain": every_row_has_an_outcome, "gold": gold_in_gold_out, "long": a_long_text,
    "languages": other_languages, "kills": kills,
}  # fmt: skip


def main() -> None:
    """Run the named parts, or all."""
    for name in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](Path(folder))
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
