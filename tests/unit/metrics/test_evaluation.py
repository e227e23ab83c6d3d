"""Figures of a data set, each small enough to check by hand."""

import random

import pytest

from cupel.metrics.evaluation import KINDS, Gain, evaluate, gain, group_of
from cupel.metrics.labels import average_precision
from cupel.metrics.spans import locate, read_spans
from cupel.stats import Interval

TEXT = "We must act now. Waiting costs more."


def document(number=0, text=TEXT, meta=None, **gold):
    return {"id": f"d{number}", "text": text, "meta": meta or {}, "gold": gold}


def span(start, end, label="Claim", **more):
    return {"start": start, "end": end, "label": label, **more}


def figures(kind, gold, answer, number=0):
    gold = gold if isinstance(gold, list) else [gold]
    answers = [{"id": f"d{number}", **answer}] if answer is not None else []
    return evaluate(gold, answers, kinds=[kind], draws=0).figures[kind]


def test_a_span_counts_as_found_exactly_by_overlap_or_by_token():
    """The quote "We must act" for "We must act now": not exact, more than half of it, three of four words."""
    found = figures("spans", document(spans=[span(0, 15)]), {"spans": [span(0, 11)]})

    assert found["exact"]["micro_f1"] == 0
    assert found["iou50"]["micro_f1"] == 1
    assert found["token"]["micro_r"] == 0.75
    assert found["token"]["micro_p"] == 1


def test_a_right_span_with_a_wrong_label_counts_only_without_labels():
    """A wrong label also lowers the macro F1 of the gold's label."""
    found = figures("spans", document(spans=[span(0, 15)]), {"spans": [span(0, 15, "Premise")]})

    assert found["exact"]["micro_f1"] == 0
    assert found["exact"]["macro_f1"] == 0
    assert found["exact_nolabel"]["micro_f1"] == 1


def test_a_quote_that_is_not_in_the_text_is_a_false_alarm():
    """Nothing is gained by inventing."""
    answer = {
        "spans": [{"text": "We must act now", "label": "Claim"}, {"text": "We must wait", "label": "Claim"}]
    }
    found = figures("spans", document(spans=[span(0, 15)]), answer)

    assert found["exact"]["micro_p"] == 0.5
    assert found["unlocated"] == 1


@pytest.mark.parametrize(
    ("quote", "place"),
    [
        ("act now", (8, 15)),
        ("ACT  NOW", (8, 15)),
        ("“Waiting costs more”", (17, 35)),
        ("wait", (17, 21)),
        ("we must wait", None),
        (" ", None),
        ("?!", None),
    ],
)
def test_a_quote_is_located_whatever_its_case_and_spacing(quote, place):
    """Its words must be there, in order."""
    assert locate(TEXT, quote) == place


def test_the_second_mention_takes_the_second_place():
    """A repeated quote does not count the same place twice."""
    answer = {
        "spans": [{"text": "no", "label": "x"}, {"text": "no", "label": "x"}, {"text": "no", "label": "x"}]
    }
    located = read_spans(answer, "no and no")

    assert [item for item, _ in located.spans] == [(0, 2, "x"), (7, 9, "x")]


def test_the_quote_is_trusted_over_its_offsets():
    """Models cannot count characters."""
    located = read_spans({"spans": [span(3, 9, text="act now")]}, TEXT)

    assert located.spans[0][0][:2] == (8, 15)


@pytest.mark.parametrize(
    "bad", [span(-1, 4), span(5, 5), span(0, 999), {"label": "x"}, span(0, 4, text="absent")]
)
def test_a_span_that_cannot_be_is_lost(bad):
    """Offsets outside the text, nothing to look for, or words that are not there."""
    assert read_spans({"spans": [bad]}, TEXT).lost == 1


def test_a_missing_answer_is_an_empty_one():
    """No document is skipped."""
    result = evaluate([document(spans=[span(0, 15)])], [{"id": "other", "spans": []}], kinds=["spans"])

    assert result.value == 0
    assert (result.documents, result.answered, result.unknown_ids) == (1, 0, 1)


def test_sentence_labels_are_read_off_spans_where_none_are_given():
    """A sentence belongs to the label that covers most of it, if enough of it is covered."""
    gold = document(
        sentences=[{"start": 0, "end": 16, "label": "Claim"}, {"start": 17, "end": 36, "label": "None"}]
    )
    found = figures("sentences", gold, {"spans": [span(0, 12), span(17, 20)]})

    assert found["accuracy"] == 1


def test_sentences_score_what_is_not_none():
    """Two of three positives are found here, with one false alarm."""
    labels = ["claim", "claim", "claim", "none", "none"]
    gold = document(sentences=[{"start": 0, "end": 1, "label": label} for label in labels])
    found = figures(
        "sentences", gold, {"sentences": ["Claim", "claim", "none", "claim"], "scores": [5, 4, 1, 3, 0]}
    )

    assert found["pos_p"] == found["pos_r"] == pytest.approx(2 / 3)
    assert found["invalid"] == 1
    assert found["mean_ap"] == pytest.approx((1 + 1 + 3 / 4) / 3)


def test_average_precision_is_undefined_without_anything_to_find():
    """An average precision over no positive is unknown and not zero."""
    assert average_precision([False, False], [1, 2]) is None


def test_stance_is_scored_by_favour_and_against_alone():
    """The label for neither counts only through its mistakes."""
    gold = [document(n, label=label) for n, label in enumerate(["favor", "against", "none"])]
    answers = [{"id": "d0", "label": "FAVOR"}, {"id": "d1", "label": "favor"}, {"id": "d2", "label": "none"}]
    found = evaluate(gold, answers, kinds=["label"], draws=0).figures["label"]

    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["favg"] == pytest.approx((2 / 3 + 0) / 2)


def test_several_labels_are_compared_as_sets():
    """Of the labels here one of two is found, and one is too many."""
    found = figures("ekman", document(ekman=["joy", "anger"]), {"ekman": ["Joy", "fear"]})

    assert found["micro_f1"] == 0.5
    assert found["exact_match"] == 0
    assert found["per_label_f1"] == {"anger": 0.0, "joy": 1.0}


def test_a_relation_needs_both_ends_and_its_label():
    """Of the three here one is right, one has a wrong end, and one refers to nothing."""
    spans = [span(0, 2, id="a"), span(3, 7, id="b"), span(8, 11, id="c")]
    gold = document(spans=spans, relations=[{"head": "a", "tail": "b", "label": "supports"}])
    answer = {
        "spans": [{**item, "id": item["id"].upper()} for item in spans],
        "relations": [
            {"head": "A", "tail": "B", "label": "supports"},
            {"head": "A", "tail": "C", "label": "supports"},
            {"head": "A", "tail": "Z", "label": "supports"},
        ],
    }
    found = figures("relations", gold, answer)

    assert (found["micro_p"], found["micro_r"], found["bad_ref"]) == (pytest.approx(1 / 3), 1, 1)


def test_undecided_pairs_of_argument_and_key_point_are_not_counted():
    """What the annotators could not decide is nobody's mistake."""
    gold = document(
        meta={"arguments": [{"id": "a0"}, {"id": "a1"}]},
        key_points=[{"id": "k0"}, {"id": "k1"}],
        matches={"a0": ["k0"]},
        undecided=[["a1", "k1"]],
    )
    found = figures("matches", gold, {"matches": {"a0": ["k0"], "a1": ["k1", "k9"]}})

    assert (found["micro_p"], found["micro_r"], found["pairs"], found["bad_ref"]) == (0.5, 1, 3, 1)


def test_keyphrases_are_compared_by_their_stems():
    """Plural and accents do not matter, repetition does not help."""
    found = figures(
        "keyphrases",
        document(keyphrases=["energy policies"]),
        {"keyphrases": ["Énergy policy", "energy policy"]},
    )

    assert found["f1"] == 1


def test_a_summary_is_scored_by_its_overlap():
    """The overlap is known by counting: two of three words stand in order."""
    found = figures("summary", document(summary="we must act"), {"summary": "we act"})

    assert found["rouge1_f"] == found["rougeL_f"] == pytest.approx(0.8)
    assert found["rouge2_f"] == 0
    assert found["len_ratio"] == pytest.approx(2 / 3)


def test_the_interval_is_of_groups_where_there_are_enough():
    """Documents of one debate are not independent."""
    gold = [document(n, meta={"debate": n % 15}, label="yes" if n % 2 else "no") for n in range(60)]
    answers = [{"id": f"d{n}", "label": "yes" if n % 3 else "no"} for n in range(60)]
    few = evaluate(gold[:10], answers, kinds=["label"])
    many = evaluate(gold, answers, kinds=["label"], headline="label.accuracy")

    assert (few.resampled, many.resampled) == ("document", "group")
    assert many.interval.low <= many.value <= many.interval.high


@pytest.mark.parametrize(
    ("kinds", "headline"), [(["colour"], ""), ([], ""), (["label"], "label.f9"), (["label"], "spans.x")]
)
def test_an_unknown_kind_or_figure_names_those_there_are(kinds, headline):
    """It is found before anything is printed."""
    with pytest.raises(ValueError, match=r"there are|is not among"):
        evaluate([document(label="a")], [], kinds=kinds, headline=headline)


def test_a_documents_group_is_its_debate_date_topic_or_block():
    """Else it stands alone."""
    assert group_of({"id": "x", "meta": {"topic": "t", "debate": ""}}) == "t"
    assert group_of({"id": "x", "meta": {}}) == "x"


@pytest.mark.parametrize("kind", KINDS)
def test_no_answers_at_all_score_zero_and_raise_nothing(kind):
    """Every kind counts an empty answer."""
    gold = document(
        spans=[span(0, 2, id="a"), span(3, 7, id="b")],
        sentences=[{"start": 0, "end": 16, "label": "claim"}],
        label="x",
        labels=["x"],
        ekman=["x"],
        evidence_labels=["x"],
        relations=[{"head": "a", "tail": "b", "label": "l"}],
        key_points=[{"id": "k"}],
        matches={"a": ["k"]},
        undecided=[],
        keyphrases=["x"],
        summary="x",
        boundaries=[17],
        meta={"arguments": [{"id": "a"}]},
    )
    assert evaluate([gold | {"meta": {"arguments": [{"id": "a"}]}}], [], kinds=[kind], draws=0).value == 0


def labelled(*labels):
    """Documents of one label each, a group of their own."""
    return [document(n, meta={"topic": f"t{n}"}, label=label) for n, label in enumerate(labels)]


def named(*labels):
    """Answers to them."""
    return [{"id": f"d{n}", "label": label} for n, label in enumerate(labels)]


def test_a_gain_is_the_difference_of_the_two_figures():
    """One of four was wrong before, none is after."""
    gold = labelled("a", "b", "a", "b")
    gained = gain(
        gold,
        named("a", "b", "a", "a"),
        named("a", "b", "a", "b"),
        kinds=["label"],
        headline="label.accuracy",
    )

    assert gained.value == pytest.approx(0.25)


def test_what_is_hard_for_both_does_not_blur_a_gain():
    """Half of the documents defeat both; the interval is as narrow as the difference is steady."""
    gold = labelled(*"ab" * 40)
    before = named(*"ba" * 20, *"aa" * 20)
    after = named(*"ba" * 20, *"ab" * 20)
    alone = evaluate(gold, after, kinds=["label"], headline="label.accuracy").interval
    gained = gain(gold, before, after, kinds=["label"], headline="label.accuracy")

    assert gained.interval.low > 0.1
    assert gained.interval.high - gained.interval.low < alone.high - alone.low


@pytest.mark.parametrize("seed", range(3))
def test_answers_that_differ_by_chance_alone_gain_nothing(seed):
    """Two coins thrown at the same documents: the interval holds nought."""
    drawing = random.Random(seed)
    gold = labelled(*(drawing.choice("ab") for _ in range(80)))
    one, other = (named(*(drawing.choice("ab") for _ in range(80))) for _ in range(2))
    low, high = gain(gold, one, other, kinds=["label"], headline="label.accuracy").interval

    assert low <= 0 <= high


def test_a_gain_of_the_same_answers_is_nought_for_certain():
    """Nothing differs in any resample."""
    gold = labelled(*"ab" * 8)

    assert gain(gold, named(*"aa" * 8), named(*"aa" * 8), kinds=["label"]) == Gain(0.0, Interval(0.0, 0.0))


def test_a_gain_of_spans_is_that_of_the_two_evaluations():
    """Spans of several documents of one group are counted together, as `evaluate` counts them."""
    gold = [
        document(n, meta={"debate": "one"}, spans=[span(0, 15), span(17, 35, "Premise")]) for n in range(5)
    ]
    before = [{"id": f"d{n}", "spans": [span(0, 15)]} for n in range(5)]
    after = [
        {"id": f"d{n}", "spans": [span(0, 15), span(17, 35, "Claim" if n else "Premise")]} for n in range(5)
    ]
    was, now = (evaluate(gold, answers, kinds=["spans"], draws=0).value for answers in (before, after))

    assert gain(gold, before, after, kinds=["spans"]).value == pytest.approx(now - was)


def test_a_gain_of_an_unknown_kind_names_those_there_are():
    """A slip is told, as `evaluate` tells it."""
    with pytest.raises(ValueError, match="there are spans"):
        gain(labelled("a"), [], [], kinds=["colour"])
