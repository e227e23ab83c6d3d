"""No field of a request leads to a file, a model, a prompt or a schema that is not the caller's to have."""

from __future__ import annotations

import itertools
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings, strategies as st
from typing_extensions import NotRequired

from cupel.context import RunContext
from cupel.errors import SettingError
from cupel.serve.policy import Policy
from cupel.serve.refusal import FORMS, check_models_of, refuse
from cupel.state import Mention, mentions_of
from cupel.state.compare import Side

OPEN = Policy.model_validate({
    "graphs": ["enrich", "compare", "improve"], "tasks": ["arguments"], "models": ["openai:cheap"], "profiles": ["offline"],
    "longest_text": 5_000, "requests": {"improve": True}, "files": {"speeches": "evals/speeches.jsonl"},
})  # fmt: skip
"""A policy under which campaigns are allowed, so that only their fields are looked at."""

ALL = [form for pair in FORMS.values() for form in pair] + [Side, RunContext]
ROOTS = (
    "/etc/passwd",
    "../../.env",
    "~/.ssh/id_rsa",
    "C:\\x",
    "file:///etc/passwd",
    "evals/speeches.jsonl",
    "\\\\host\\x",
)
PATHS = st.sampled_from(ROOTS) | st.from_regex(r"(\.\./|/|~/)[a-z./]{1,20}", fullmatch=True)
HARMLESS = (Mention.WORDS, Mention.NAME)


def holds_text(hint: Any) -> bool:
    """Whether a field may hold a text that somebody else chose."""
    if get_origin(hint) == Literal:
        return False
    if get_origin(hint) is NotRequired or get_args(hint):
        return any(holds_text(part) for part in get_args(hint))
    return hint in (str, Any, dict, list) or (isinstance(hint, type) and issubclass(hint, str))


@pytest.mark.parametrize("form", ALL, ids=lambda form: form.__name__)
def test_every_field_that_holds_text_says_what_it_may_name(form):
    """A setting or an input that comes to be is refused by this test until somebody has said what it leads to."""
    hints = get_type_hints(form, include_extras=False)
    told = mentions_of(form)
    silent = [name for name in told if told[name] is None and holds_text(hints[name])]

    assert silent == []


def fields() -> list[tuple[str, str, str, Mention]]:
    """Graph, whether input or settings, field and what it may name; of all three graphs."""
    both = (
        (graph, part, form)
        for graph, pair in FORMS.items()
        for part, form in zip(("given", "settings"), pair, strict=True)
    )
    return [
        (graph, part, name, kind)
        for graph, part, form in both
        for name, kind in mentions_of(form).items()
        if kind
    ]


FIELDS = fields()
DANGEROUS = [field for field in FIELDS if field[3] not in (*HARMLESS, Mention.SIDE)]


def asked(graph: str, part: str, name: str, value: Any) -> Any:
    """What becomes of a request with this value in this field, all else being allowed."""
    request: dict[str, dict[str, Any]] = {"given": {"text": "a", "task": "arguments"}, "settings": {}}
    if graph == "improve":
        request["given"]["documents"] = "speeches"
    request[part][name] = value
    return refuse(OPEN, graph, request["given"], request["settings"])


@pytest.mark.parametrize(("graph", "part", "name", "kind"), DANGEROUS, ids=str)
@settings(max_examples=12)
@given(
    named=st.builds(
        str.__add__, st.sampled_from(["", "gguf:", "recorded:", "local:", "openai:", "auto,", " "]), PATHS
    )
)
def test_no_field_takes_a_path_in_whatever_spelling(graph, part, name, kind, named):
    """Every field that reaches for something refuses every path, with and without a provider before it."""
    for value in (named, [named], {"x": named}):
        refusal = asked(graph, part, name, value)

        assert refusal is not None, (name, kind, value)
        assert refusal.status in (403, 422)


@pytest.mark.parametrize(("graph", "part", "name", "kind"), FIELDS, ids=str)
def test_what_says_nothing_is_refused_to_nobody(graph, part, name, kind):
    """A form sends its empty fields too."""
    for value in ("", None, [], {}):
        if kind is Mention.TASK and part == "given":
            continue  # an empty task is the settings' one, or the default
        assert (graph == "improve" and name == "documents") or asked(graph, part, name, value) is None


@settings(max_examples=25)
@given(
    side=st.sampled_from(["a", "b"]),
    name=st.sampled_from([n for n, k in mentions_of(Side).items() if k not in HARMLESS]),
    path=PATHS,
)
def test_a_side_of_a_comparison_names_nothing_either(side, name, path):
    """Models, prompts and schemas of a version are looked at where they stand inside."""
    refusal = asked("compare", "given", side, {"name": "x", name: path})

    assert refusal is not None
    assert refusal.why.startswith(f"{side}.{name}")


def test_what_is_allowed_passes():
    """The caller's own document, a model on the list, a file by its name."""
    assert asked("enrich", "settings", "cheap_model", "openai:cheap") is None
    assert asked("enrich", "settings", "jury_models", "openai:cheap, none") is None
    assert asked("enrich", "settings", "output_language", "Brazilian Portuguese") is None
    assert asked("enrich", "settings", "policy", "none") is None
    assert asked("improve", "given", "documents", "speeches") is None


SCHEMAS = Policy.model_validate({**OPEN.model_dump(), "requests": {"schemas": True}})
REFERENCES = st.sampled_from(
    ["http://x/s.json", "https://x/#/a", "file:///etc/passwd", "other.json", "//x/y", "urn:x"]
)


@settings(max_examples=40)
@given(
    reference=REFERENCES,
    word=st.sampled_from(["$ref", "$dynamicRef"]),
    depth=st.integers(0, 40),
    wrap=st.sampled_from(["properties", "allOf"]),
)
def test_a_schema_refers_to_nothing_but_itself(reference, word, depth, wrap):
    """However deep it stands, a reference to another place is a 422; one to a definition passes."""
    schema: Any = {word: reference}
    for _ in range(depth):
        schema = {"properties": {"a": schema}} if wrap == "properties" else {"allOf": [schema]}

    refusal = refuse(SCHEMAS, "enrich", {"text": "a", "output_schema": schema}, {})

    assert refusal.status == 422
    assert refuse(SCHEMAS, "enrich", {"text": "a", "output_schema": {"$ref": "#/$defs/a"}}, {}) is None


@settings(max_examples=12)
@given(said=st.integers(0, 3), long=st.booleans())
def test_a_long_text_is_refused_wherever_it_stands(said, long):
    """Text, meta, ids and settings count together, to the character."""
    text = "x" * (OPEN.longest_text - 100 + (101 if long else 0))
    given_ = [
        {"text": text},
        {"text": "a", "meta": {"x": text}},
        {"text": "a", "doc_id": text},
        {"text": "a", "meta": {text: 1}},
    ][said]

    refusal = refuse(OPEN, "enrich", {"task": "arguments", **given_}, {})

    assert (refusal is not None and refusal.status == 413) is long


def test_the_models_that_settings_come_to_are_looked_at_whichever_way_they_came():
    """Those a thread kept are no request's: what nobody allowed is asked of nobody."""
    context = RunContext(cheap_model="openai:cheap", judge="never")

    check_models_of(context, OPEN, {})
    with pytest.raises(SettingError, match="the strong model would be openai:dear, which is not for callers"):
        check_models_of(context.model_copy(update={"strong_model": "openai:dear"}), OPEN, {})


def test_deep_and_odd_values_are_read_without_falling_over():
    """Two thousand levels, numbers for names, a list for a text: an answer, and no exception."""
    deep: Any = "x"
    for _ in range(2_000):
        deep = [deep]
    odd = itertools.product(FIELDS, (deep, 1, True, [1], {"a": deep}))

    for (graph, part, name, _), value in odd:
        asked(graph, part, name, value)
