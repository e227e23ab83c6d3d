"""How sure we are of a record: what is observed, and what it amounts to."""

import math

import pytest

from cupel.cascade import verify
from cupel.engine.policies import policy_path
from cupel.errors import SettingError
from cupel.routing.confidence.calibration import Binding, Calibration, Fit
from cupel.routing.confidence.combination import Feature
from cupel.routing.confidence.maps import ScoreMap
from cupel.routing.threshold_cascade import ThresholdCascade
from tests.integration.cascade import INVENTED, models, record
from tests.unit.cascade.factory import asking, attempt, context, grounded, state, work


async def test_a_faultless_record_is_in_no_doubt(runtime):
    """It fits, its quotes stand in the text, and what must be filled is."""
    signals, doubt = await weighed(runtime)

    assert doubt == {"score": 1.0, "confidence": None, "calibrated": False, "in_doubt": False, "doubts": []}
    assert (signals["schema_valid"], signals["quotes_grounded"], signals["fields_filled"]) == (1.0, 1.0, 1.0)
    assert signals["quotes_verbatim"] == 1.0


async def weighed(runtime, calibrated=None, **changes):
    """Signals and doubt of an attempt."""
    documents = await work(runtime, state(await grounded(runtime, **changes)))
    signals = verify.measure(documents, verify.observe_free(documents.attempt), calibrated)
    return signals, verify.weigh(documents, signals, calibrated)


@pytest.mark.parametrize(
    ("changes", "score", "doubt"),
    [
        pytest.param(
            {"record": record(INVENTED)}, 0.5, "/claims/0/quote: the quote is", id="an invented quote"
        ),
        pytest.param({"record": {**record(), "stance": ""}}, 0.0, "/stance is empty", id="an empty field"),
        pytest.param({"record": None, "error": "does not fit"}, 0.0, "does not fit", id="no record"),
        pytest.param({"record": None}, 0.0, "no record", id="no record and no reason"),
    ],
)
async def test_the_plain_rule_doubts_what_has_a_fault(runtime, changes, score, doubt):
    """The doubt names the fault, and the score is the product of the signals."""
    _, weighing = await weighed(runtime, **changes)

    assert weighing["in_doubt"]
    assert weighing["score"] == score
    assert weighing["doubts"][0].startswith(doubt)


async def test_a_second_model_that_disagrees_lowers_the_score(runtime):
    """Its record is one more call, billed as verifying."""
    other = record(matter="schools", stance="oppose")
    with models(strong=other):
        documents = await work(
            runtime, state(await grounded(runtime)), agreement_model="scripted:strong", signals="agreement"
        )
        seen, calls = await verify.observe_costly(documents, verify.observe_free(documents.attempt), asking())
    signals = verify.measure(documents, seen, None)

    assert seen.second_record == other
    assert [call["kind"] for call in calls] == ["verify"]
    assert 0 <= signals["agreement"] < 1
    assert verify.weigh(documents, signals, None)["score"] == round(signals["agreement"], 4)


async def test_samples_and_verifications_are_each_a_reply_of_their_own(runtime):
    """Four further records and eight answers are asked for, and all of them are billed."""

    def cheap(messages, schema):
        return {"reasoning": "it is", "right": True} if "right" in schema["properties"] else record()

    with models(cheap=cheap) as made:
        documents = await work(
            runtime, state(await grounded(runtime)), signals="self_consistency,self_verified"
        )
        seen, calls = await verify.observe_costly(documents, verify.observe_free(documents.attempt), asking())

    assert seen.samples == [record()] * verify.SAMPLES
    assert seen.verifications == [True] * verify.VERIFICATIONS
    assert len(calls) == len(made["cheap"].requests) == verify.SAMPLES + verify.VERIFICATIONS


@pytest.mark.parametrize(
    "changes", [{"tier": "strong"}, {"record": None}], ids=["a strong record", "no record"]
)
async def test_nothing_costly_is_asked_about_what_is_not_a_cheap_record(runtime, changes):
    """There is nothing a further call could decide."""
    documents = await work(runtime, state(attempt(**changes)), signals="self_verified")
    free = verify.observe_free(documents.attempt)

    assert await verify.observe_costly(documents, free, asking()) == (free, [])


def test_what_a_model_says_of_itself_is_an_input():
    """A number in the record's own field, and nothing else."""
    said = [
        verify.observe_free(attempt(record={"confidence": each})).self_report
        for each in (0.7, 1, True, "high")
    ]

    assert said == [0.7, 1.0, None, None]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({}, (), id="none"),
        pytest.param(
            {"signals": " self_verified , self_consistency"}, ("self_verified", "self_consistency"), id="two"
        ),
        pytest.param({"agreement_model": "scripted:strong"}, ("agreement",), id="a second model is enough"),
    ],
)
def test_a_run_names_the_signals_that_cost_calls(settings, expected):
    """Spaces do not matter."""
    assert verify.read_signals(context(**settings)) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"signals": "luck"}, "not one of agreement"), ({"signals": "agreement"}, "set agreement_model")],
    ids=["unknown", "nobody to agree with"],
)
def test_a_signal_that_cannot_be_had_is_said_before_the_run(settings, message):
    """The message names what is valid."""
    with pytest.raises(SettingError, match=message):
        verify.read_signals(context(**settings))


def policy(probability=0.9, threshold=0.8, *, model="scripted:cheap", signal="quotes_verbatim", field=""):
    """A calibrated policy that gives every record it can see the same probability."""
    calibration = Calibration(
        binding=Binding(task="arguments", prompt_version="v1", model=model, field=field),
        features=(Feature(name=signal, fill=0.0, weight=1.0),),
        score_map=ScoreMap(slope=0.0, offset=math.log(probability / (1 - probability))),
        fit=Fit(labels=100, right=50, auroc=None, ece=0.0, brier=0.0),
    )
    return ThresholdCascade(score=calibration, threshold=threshold)


def stored(runtime, calibrated, field=""):
    """The policy where `cupel calibrate` leaves it."""
    path = policy_path(runtime.project.state, "arguments", field)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(calibrated.to_json())


@pytest.mark.parametrize(
    ("calibrated", "confidence", "doubts"),
    [
        (policy(0.9), 0.9, []),
        (policy(0.7), 0.7, ["confidence 0.70 is below the threshold 0.80"]),
        (policy(0.9, math.inf), 0.9, ["confidence 0.90 is below the nothing is certified"]),
        (policy(signal="mean_logprob"), None, ["no signal could be observed"]),
    ],
    ids=["above", "below", "nothing is certified", "nothing observed"],
)
async def test_a_calibrated_policy_decides_where_there_is_one(runtime, calibrated, confidence, doubts):
    """Its confidence is a probability, and the score stays beside it."""
    _, doubt = await weighed(runtime, calibrated)

    assert doubt["doubts"] == doubts
    assert doubt["confidence"] == (None if confidence is None else pytest.approx(confidence))
    assert (doubt["calibrated"], doubt["score"]) == (confidence is not None, 1.0)


@pytest.mark.parametrize(
    ("changes", "model", "used", "notes"),
    [
        ({}, "scripted:cheap", True, 0),
        ({}, "scripted:other", False, 1),
        ({"tier": "strong"}, "scripted:cheap", False, 0),
        ({"record": None}, "scripted:cheap", False, 0),
    ],
    ids=["its own", "another model's", "a strong record", "no record"],
)
async def test_a_policy_is_used_for_what_it_was_calibrated_on(runtime, changes, model, used, notes):
    """Another one is passed over, and the run says so once."""
    stored(runtime, policy(model=model))
    told = asking()
    chosen = await verify.find_policy(await work(runtime, state(attempt(**changes))), told)

    assert (chosen is not None) is used
    assert len(told.run.tally.notes) == notes


async def test_a_field_that_was_calibrated_by_itself_has_its_own_confidence(runtime):
    """Only where a calibrated policy may decide, and only for this prompt and model."""
    stored(runtime, policy(0.6, field="stance"), "stance")
    stored(runtime, policy(0.6, field="matter", model="another"), "matter")
    rated = [
        await verify.rate_fields(
            await work(runtime, state(attempt()), policy=setting), {"quotes_verbatim": 1.0}
        )
        for setting in ("auto", "none")
    ]

    assert rated == [{"confidence/stance": pytest.approx(0.6)}, {}]
