"""What a scrape says is what the run log has, in a format that Prometheus reads."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st

from cupel.cascade import Visit
from cupel.engine import Run
from cupel.runlog.store import StoredResponse
from cupel.serve.exposition import Family, expose, histogram, labels
from cupel.serve.metrics import CALL_S, read_metrics
from cupel.serve.record import begin_row, close_questions, count_calls, end_row

LINE = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parsed(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """A scrape as Prometheus reads it: name and labels → value."""
    read = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        found = LINE.fullmatch(line)
        named = LABEL.findall(found["labels"] or "")
        plain = {
            (name, re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), value)) for name, value in named
        }
        read[found["name"], frozenset(plain)] = float(found["value"].replace("Inf", "inf"))
    return read


def value(read, name, **named):
    """One sample; 0 where it is not there."""
    return read.get((name, frozenset((key, str(text)) for key, text in named.items())), 0)


NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(['"', "\\", "\n"]), max_size=20
)


@settings(max_examples=60)
@given(
    named=st.dictionaries(st.sampled_from(["a", "b", "model"]), NAMES, max_size=3),
    number=st.floats(allow_nan=False, allow_infinity=False),
)
def test_every_label_and_number_comes_back_as_it_was(named, number):
    """Quotes, backslashes and line ends in the name of a model break no line."""
    text = expose([Family("x_total", "counter", "Line\nend.", [("", labels(**named), number)])])

    assert len(re.split(r"\n", text.rstrip("\n"))) == 3
    assert parsed(text) == {("x_total", frozenset(named.items())): number}


def test_prometheus_own_reader_reads_it():
    """The reference parser finds each family with its kind and samples."""
    parser = pytest.importorskip(
        "prometheus_client.parser", reason="prometheus_client comes with langgraph's server"
    )
    told = [
        Family("a_total", "counter", "A \\ b.", [("", labels(model='x"y\\z'), 2)]),
        Family("b_seconds", "histogram", "B.", histogram(labels(m="1"), [0.5], [1, 3], 4.25)),
        Family("c", "gauge", "C.", [("", (), 0.125)]),
    ]
    families = {one.name: one for one in parser.text_string_to_metric_families(expose(told))}

    assert {name: one.type for name, one in families.items()} == {
        "a": "counter",
        "b_seconds": "histogram",
        "c": "gauge",
    }
    assert families["a"].samples[0].labels == {"model": 'x"y\\z'}
    assert [(one.name, one.value) for one in families["b_seconds"].samples] == [
        ("b_seconds_bucket", 1), ("b_seconds_bucket", 3), ("b_seconds_sum", 4.25), ("b_seconds_count", 3),
    ]  # fmt: skip


def call(rng, number):
    """A call of a document, sent or found in the run log."""
    kind, model = rng.choice(
        [
            ("extract", "cheap"),
            ("repair", "cheap"),
            ("extract", "strong"),
            ("judge", "judge"),
            ("refine", "refiner"),
        ]
    )
    return {
        "key": f"k{number}", "kind": kind, "model": f"openai:{model}", "cached": rng.random() < 0.3, "input_tokens": rng.randrange(2_000),
        "cached_tokens": 0, "output_tokens": rng.randrange(300), "cost_usd": rng.choice([None, rng.random()]), "latency_s": rng.random() * 12,
    }  # fmt: skip


async def play(run_log, number, rng):
    """One run of a server as it would have gone; returned with its state, its calls that were sent are in the run log."""
    task, state = rng.choice(["arguments", "stance"]), rng.choice(["done", "done", "waiting", "failed"])
    visit = Visit(id=f"r{number}", run=Run(served=True), task=task)
    await begin_row(run_log, visit, thread=f"t{number}", owner="k", graph="enrich")
    visit.ledger.calls += [call(rng, f"{number}-{n}") for n in range(rng.randrange(5))]
    visit.steps.update({"escalate": rng.randrange(2), "refine": rng.randrange(3)})
    visit.verdicts.update({"accepted": rng.randrange(2), "unknown": rng.randrange(2)})
    visit.status = rng.choice(["accepted", "needs_review"]) if state == "done" else None
    await end_row(run_log, visit, state=state, wall_s=rng.random() * 40, strong="openai:strong")
    for one in visit.ledger.calls:
        if not one["cached"]:
            told = {
                name: one[name]
                for name in ("key", "kind", "model", "input_tokens", "output_tokens", "cost_usd", "latency_s")
            }
            await run_log.save_response(StoredResponse(text="", **told))
    return visit, state


def tier_of(one):
    """Whose a call is, said once more."""
    return {"judge": "judge", "refine": "refine"}.get(
        one["kind"], "strong" if "strong" in one["model"] else "cheap"
    )


async def test_a_scrape_says_what_the_run_log_has(run_log):
    """Sixty runs of two tasks, some waiting, some failed: counts, tokens, dollars and buckets, each added up by hand."""
    rng = random.Random(4)
    played = [await play(run_log, number, rng) for number in range(60)]
    calls = [one for visit, _ in played for one in visit.ledger.calls]
    sent = [one for one in calls if not one["cached"]]

    read = parsed(read_metrics(run_log))

    for (task, status), count in Counter(
        (visit.task, visit.status) for visit, _ in played if visit.status
    ).items():
        assert value(read, "cupel_documents_total", by="server", task=task, status=status) == count
    for (model, tier, cached), count in Counter(
        (one["model"], tier_of(one), one["cached"]) for one in calls
    ).items():
        assert (
            value(
                read,
                "cupel_cache_hits_total" if cached else "cupel_served_calls_total",
                model=model,
                tier=tier,
            )
            == count
        )
    for task in ("arguments", "stance"):
        mine = [visit for visit, _ in played if visit.task == task]
        assert value(read, "cupel_escalations_total", task=task) == sum(
            visit.steps["escalate"] > 0 for visit in mine
        )
        assert value(read, "cupel_refinements_total", task=task) == sum(
            visit.steps["refine"] for visit in mine
        )
        assert value(read, "cupel_verdicts_total", task=task, verdict="unknown") == sum(
            visit.verdicts["unknown"] for visit in mine
        )
    for model in {one["model"] for one in sent}:
        seconds = [one["latency_s"] for one in sent if one["model"] == model]
        within = [value(read, "cupel_call_seconds_bucket", model=model, le=f"{bound:g}") for bound in CALL_S]
        assert within == [sum(s <= bound for s in seconds) for bound in CALL_S]
        assert value(read, "cupel_call_seconds_count", model=model) == len(seconds)
    for name in ("cupel_cost_usd_total", "cupel_served_cost_usd_total"):
        assert sum_of(read, name) == pytest.approx(sum(one["cost_usd"] or 0 for one in sent))
    assert value(read, "cupel_reviews_waiting") == sum(state == "waiting" for _, state in played) > 0


def sum_of(read, name):
    """All samples of a metric together."""
    return sum(number for (found, _), number in read.items() if found == name)


async def test_a_question_that_was_answered_waits_no_longer(run_log):
    """The next run on its thread answers it; one on another's thread, or a stranger's deletion, does not."""

    async def waiting():
        return value(parsed(read_metrics(run_log)), "cupel_reviews_waiting")

    asked = Visit(id="a", run=Run(served=True), task="t")
    await begin_row(run_log, asked, thread="t1", owner="k", graph="enrich")
    await end_row(run_log, asked, state="waiting", wall_s=1.0, strong="")
    await begin_row(run_log, Visit(id="b", run=Run(served=True)), thread="t2", owner="k", graph="enrich")
    await run_log.transact(lambda connection: close_questions(connection, "t1", "other"))
    before = await waiting()
    await begin_row(run_log, Visit(id="c", run=Run(served=True)), thread="t1", owner="k", graph="enrich")

    assert (before, await waiting()) == (1, 0)


def test_a_call_counts_for_the_tier_that_asked():
    """By kind where that says it, else by the model."""
    base = {"model": "m", "cached": False, "input_tokens": 1, "output_tokens": 1, "cost_usd": 0.5}
    rows = count_calls(
        [
            {**base, "kind": kind, "model": model}
            for kind, model in [("extract", "s"), ("repair", "c"), ("judge", "s")]
        ],
        "s",
    )

    assert {(row["model"], row["tier"]) for row in rows} == {("s", "strong"), ("c", "cheap"), ("s", "judge")}
