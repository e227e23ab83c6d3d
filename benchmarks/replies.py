"""Reading of replies that were made to be slow to read: how CPU time grows with their length.

    python benchmarks/replies.py [--seed 7] [--random 20]

Each kind is read at 1 kB to 1 MB as a model's reply (`read_record`, the schema of the arguments task) and as a provider's
answer (`to_message`). Some kinds are named, the others drawn: a few pieces of JSON, thoughts, fences and prose repeated in
a pattern of their own. The growth is the slope of a line through log time over log length from 64 kB on: 1 is linear, 2
the square. Exits with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cupel.errors import ModelError
from cupel.models.replies import Reply, to_message
from cupel.task.fit import fit_of
from cupel.task.folder import load_task
from cupel.task.reply import read_record

SIZES = (1_000, 4_000, 16_000, 64_000, 128_000, 256_000, 512_000, 1_000_000)
GROWTH_FROM = 64_000
MAX_GROWTH = 1.4
"""More than 1 for what no longer fits the caches; the square of the length would be 2."""
MAX_S = 1.0

RECORD = json.dumps(
    {
        "matter": "housing",
        "claims": [{"id": 1, "quote": "we must build more homes"}],
        "premises": [{"quote": "Rents rose", "supports": 1}],
        "stance": "support",
    }
)
Kind = Callable[[int], str]


def repeat(piece: str, before: str = "", after: str = "") -> Kind:
    """A piece over and over, up to the length asked for."""
    return lambda size: before + piece * (max(1, size - len(before) - len(after)) // len(piece)) + after


KINDS: Mapping[str, Kind] = {
    "a fence and spaces": repeat(" ", "```"),
    "a record and spaces": repeat(" ", "```json\n" + RECORD),
    "brackets": repeat("["),
    "braces": repeat("{"),
    "both": repeat("[{"),
    "brackets apart": repeat("[ "),
    "keys": repeat('{"a":'),
    "keys without an end": repeat('{"a":"'),
    "objects in brackets": repeat('[{"a":1},'),
    "an object, never closed": repeat('"a":1,', "{"),
    "keys with two values": repeat('{"a":1,"a":2}'),
    "one key many times": repeat('"a":[1,2],', "{", '"b":1,}'),
    "a key within itself": lambda size: '{"a":1,"a":' * (size // 24) + "1" + "}" * (size // 24),
    "templates": repeat("{x}"),
    "lists": repeat("[1,"),
    "empty objects": repeat("{}"),
    "records that fit": repeat(RECORD),
    "records that differ": lambda size: "".join(
        RECORD.replace("housing", f"housing {n}") for n in range(size // len(RECORD))
    ),
    "records that do not fit": repeat('{"matter": 1}'),
    "many claims": repeat(',{"id":1,"quote":"we"}', RECORD[: RECORD.index("]")], RECORD[RECORD.index("]") :]),
    "claims that do not fit": repeat(',{"id":"1"}', RECORD[: RECORD.index("]")], RECORD[RECORD.index("]") :]),
    "numbers for claims": repeat(",1", RECORD[: RECORD.index("]")], RECORD[RECORD.index("]") :]),
    "keys nobody asked for": lambda size: (
        RECORD[:-1] + "".join(f', "k{n}": 1' for n in range(size // 14)) + "}"
    ),
    "one long string": repeat("x", '{"matter":"', '"}'),
    "a string without an end": repeat("x", '{"matter":"'),
    "backslashes": repeat("\\", '{"matter":"'),
    "escapes": repeat("\\u00e9", '{"matter":"', '"}'),
    "formulas": repeat(r"\frac ", '{"matter":"', '"}'),
    "halves of characters": repeat("\\ud83d", '{"matter":"', '"}'),
    "strings with formulas": repeat(r'"\t\alpha",', '{"matter":[', '"b"]}'),
    "digits": repeat("9", '{"matter":', "}"),
    "digits with a point": repeat("9", '{"matter":0.', "}"),
    "quotes": repeat('"'),
    "quoted braces": repeat('"{'),
    "braces before escapes": repeat('{"\\"'),
    "braces, blanks, quotes": repeat('{  "a" '),
    "thoughts": repeat("<think>"),
    "thoughts that end": repeat("<think></think>"),
    "ends of thoughts": repeat("</think>"),
    "thoughts with records": repeat("<think>" + RECORD + "</think>"),
    "tags that are none": repeat("<thinkthink"),
}
PIECES = (
    "{", "}", "[", "]", '"', ":", ",", "\\", "\\u", "\\ud83d", "a", "1", "1e9", "null", " ", "\n", '{"a":', '"a"', "<think>", "</think>",
    "```", "```json\n", "{x}", "[1]", "/*", "<", RECORD, RECORD[:40], "�",
)  # fmt: skip


def drawn(rng: random.Random) -> tuple[str, Kind]:
    """A kind of a few pieces in a pattern, after one beginning and before one end."""
    pieces = [rng.choice(PIECES) for _ in range(rng.randint(1, 5))]
    before, after = (rng.choice(["", *PIECES]) for _ in range(2))
    name = "".join(piece[:6] for piece in pieces).replace("\n", "⏎")
    return f"drawn: {name}"[:26], repeat("".join(pieces), before, after)


def read_as_reply() -> Callable[[str], None]:
    """How the engine reads what a model said."""
    fit = fit_of(load_task("arguments", Path(__file__).parent.parent / "prompts").schema)
    document = r"We must build more homes; \frac{1}{2} of the rents rose."
    return lambda text: void(read_record(text, lambda value: fit.read(value)[1], document=document))


def read_as_answer(text: str) -> None:
    """How the client reads what a provider sent: the text as the body, then as a reply within a good one."""
    for body in (text, json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]})):
        with contextlib.suppress(ModelError):
            to_message(Reply(200, {}, body.encode()), model="openai:m")


def void(_: object) -> None:
    """Let go of a result."""


def cpu_s(read: Callable[[str], None], text: str) -> float:
    """CPU seconds of the quicker of two readings; of one where it takes long."""
    took = []
    while len(took) < 2 and sum(took) < 0.5:
        begun = time.process_time()
        read(text)
        took.append(time.process_time() - begun)
    return min(took)


def growth(times: Mapping[int, float]) -> float:
    """The exponent of the growth; what takes no time to speak of grows like nothing."""
    points = [(math.log(size), math.log(s)) for size, s in times.items() if size >= GROWTH_FROM and s > 0.002]
    if len(points) < 3:
        return 0.0
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def measure(name: str, kind: Kind, readers: Iterable[tuple[str, Callable[[str], None]]]) -> list[str]:
    """Print a kind's row for each reader; return the bars it misses."""
    missed = []
    for reader, read in readers:
        times: dict[int, float] = {}
        for size in SIZES:
            times[size] = cpu_s(read, kind(size))
            if times[size] > 3 * MAX_S:  # the next one would tell nothing new, and take its time
                break
        slope = growth(times)
        shown = "".join(f"{times[size] * 1e3:10.2f}" for size in (1_000, 64_000, 1_000_000) if size in times)
        print(f"{name:27}{reader:8}{shown:30}{slope:8.2f}")
        if max(times.values()) > MAX_S:
            missed.append(f"{name}, {reader}: <= {MAX_S:g} s CPU at 1 MB")
        if slope > MAX_GROWTH:
            missed.append(f"{name}, {reader}: growth <= {MAX_GROWTH:g}")
    return missed


def main() -> int:
    """Measure every kind."""
    parser = argparse.ArgumentParser(description="Reading of replies that were made to be slow to read.")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--random", type=int, default=20, help="How many kinds to draw.")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    kinds = {**KINDS, **dict(drawn(rng) for _ in range(args.random))}
    readers = (("reply", read_as_reply()), ("answer", read_as_answer))
    print(f"{'CPU ms at':27}{'read as':8}{'1 kB':>10}{'64 kB':>10}{'1 MB':>10}{'growth':>8}")
    missed = [bar for name, kind in kinds.items() for bar in measure(name, kind, readers)]
    print("\n".join(f"MISSED {bar}" for bar in missed) or "every bar is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
