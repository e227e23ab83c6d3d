"""What a campaign's end advises: a command that the command line takes, for every ending."""

import shlex
from typing import get_args

import pytest
import typer
from hypothesis import given, settings as how, strategies as st

from cupel.cli._app import app
from cupel.improvement.advice import UNSAID, command_of, next_step
from cupel.state.improve import Result

GIVEN = {
    "documents": "speeches.jsonl", "task": "stance", "group": "", "max_usd": None, "rounds": 3, "seed": 0,
    "engine": "reflect", "gate_judge": "", "gate_metric": "graded", "held_out": 0.7, "run": "", "split_salt": "",
    "max_token_growth": None, "gold": "", "candidate": "",
}  # fmt: skip
COMMAND = typer.main.get_command(app)
NOMINEE = {"version": "0123456789ab"}


def parsed(command):
    """What the command line reads in a command; nothing is run."""
    words = shlex.split(command)
    assert words.pop(0) == "cupel"
    found = COMMAND
    while hasattr(found, "commands"):
        found = found.commands[words.pop(0)]
    return found.make_context(found.name, words).params


def ending(result, **more):
    """A campaign's result."""
    return {"result": result, "task": "stance", "version": "aaaaaaaaaaaa", "tried": [], "reasons": [], **more}


TURN = {"version": "0123456789ab", "reason": "no better"}
LOOKED = {"decision": "reject", "documents_needed": None}
NEEDED = {"decision": "inconclusive", "documents_needed": 40}
ENDINGS = [
    (ending("promoted", proposal=NOMINEE), {}, "cupel prompts rollback stance aaaaaaaaaaaa"),
    (ending("nominee", proposal=NOMINEE, decision=LOOKED), {}, "cupel prompts promote stance 0123456789ab"),
    (ending("declined", proposal=NOMINEE, decision=LOOKED), {}, "cupel prompts promote stance 0123456789ab"),
    (ending("nothing_to_do"), {}, "cupel improve speeches.jsonl --task stance --run RUN_ID"),
    (ending("no_candidate"), {"seed": 2}, "cupel improve speeches.jsonl --task stance --seed 3"),
    (ending("no_candidate", reasons=["no rewriter is attached; set --refiner-model"]), {}, "cupel improve speeches.jsonl --task stance --refiner-model PROVIDER:MODEL"),
    (ending("no_candidate"), {"candidate": "mine"}, "cupel improve speeches.jsonl --task stance --candidate mine"),
    (ending("rejected", tried=[TURN]), {}, "cupel improve speeches.jsonl --task stance --seed 1"),
    (ending("rejected", tried=[TURN]), {"candidate": "mine"}, "cupel failures --task stance --rerun speeches.jsonl --prompt mine"),
    (ending("rejected", proposal=NOMINEE, decision=LOOKED), {}, "cupel improve NEW_FILE --task stance --seed 1"),
    (ending("rejected", proposal=NOMINEE, decision=LOOKED), {"candidate": "mine"}, "cupel improve NEW_FILE --task stance --candidate mine"),
    (ending("inconclusive", proposal=NOMINEE, decision=NEEDED), {"engine": "gepa", "rounds": 1}, "cupel improve NEW_FILE --task stance --candidate 0123456789ab"),
    (ending("inconclusive", proposal=NOMINEE, decision=LOOKED), {}, "cupel improve NEW_FILE --task stance --seed 1"),
]  # fmt: skip


def test_every_ending_is_among_them():
    """Whatever a campaign can come to."""
    assert {result["result"] for result, _, _ in ENDINGS} == set(get_args(Result))


@pytest.mark.parametrize(
    ("result", "asked", "command"), ENDINGS, ids=[f"{e[0]['result']}, {e[2]}" for e in ENDINGS]
)
def test_every_ending_has_a_command_that_goes_on_from_it(result, asked, command):
    """What a person typed stays as they typed it; what only they know stands in capitals."""
    step = next_step(result, {**GIVEN, **asked})

    assert step.command == command
    assert parsed(step.command)
    assert step.why


SAID = st.fixed_dictionaries(
    {},
    optional={
        "group": st.sampled_from(["debate", "a speaker"]), "max_usd": st.sampled_from([0.5, 20.0]),
        "rounds": st.integers(1, 8), "seed": st.integers(0, 9), "engine": st.sampled_from(["reflect", "gepa"]),
        "gate_metric": st.sampled_from(["graded", "right"]), "held_out": st.sampled_from([0.1, 0.7, 0.9]),
        "split_salt": st.just("it's"), "max_token_growth": st.sampled_from([0.0, 0.4]), "gold": st.just("my gold.csv"),
        "gate_judge": st.just("openai:x"), "run": st.just("ab12"),
    },
)  # fmt: skip
SET = st.fixed_dictionaries(
    {},
    optional={
        "profile": st.just("demo"), "cheap_model": st.just("local:a"), "judge_model": st.just("local:b"),
        "jury_models": st.lists(st.sampled_from(["local:c", "local:d"]), min_size=1, max_size=2),
        "refiner_model": st.just("none"),
    },
)  # fmt: skip


@how(deadline=None, max_examples=40)
@given(SAID, SET)
def test_a_campaign_s_command_says_what_it_was_given(said, settings):
    """Read again, it is the same campaign."""
    params = parsed(command_of({**GIVEN, **said}, settings))

    assert str(params["file"]) == "speeches.jsonl"
    expected = {**GIVEN, **said, **settings}
    for name in (*said, *settings):
        assert params[name] == expected[name]
    assert {name: params[name] for name in UNSAID if name not in said} == {
        name: value for name, value in UNSAID.items() if name not in said
    }
