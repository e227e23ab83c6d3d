"""The tokens of a record's values are found in any reply, however it is cut into tokens."""

import json
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given, settings, strategies as st

from cupel.routing.confidence.value_tokens import Token, value_tokens
from cupel.task import read_record, value_places

SCAFFOLD, VALUE = -10.0, -0.25
"""What a small model gives the tokens that a grammar forces, and those it chooses."""

texts = st.text(st.characters(exclude_characters="\x00\ufffd", exclude_categories=("Cs",)), max_size=12)
scalars = texts | st.integers(-9_999, 9_999) | st.booleans() | st.none()
records = st.dictionaries(
    texts.filter(bool), scalars | st.lists(scalars, max_size=3) | st.dictionaries(texts, scalars, max_size=3), min_size=1, max_size=4
)  # fmt: skip
writings = st.sampled_from(
    [
        json.dumps,
        lambda record: json.dumps(record, ensure_ascii=False),
        lambda record: json.dumps(record, indent=1),
    ]
)
around = st.sampled_from(["", "Here it is: ", "```json\n", "<think>Is it so?</think>", "{x} "])
trailing = st.sampled_from(["", "\n```", "<|im_end|>", " That is all."])


def cut(reply, places, *, raw):
    """The reply as tokens cut at these places, of characters or of bytes; each says what it covers."""
    whole = reply.encode() if raw else reply
    bounds = [0, *sorted({place % (len(whole) + 1) for place in places} - {0, len(whole)}), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(bounds)]
    if raw:
        return [Token(piece.decode(errors="replace"), -1.0, raw=piece) for piece in pieces]
    return [Token(piece, -1.0) for piece in pieces]


def leaves(value, names=()):
    """Every scalar with the names that lead to it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*names, name))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, names)
    else:
        yield "/".join(names), value


@given(
    st.tuples(records, writings, around, trailing), st.lists(st.integers(0, 400), max_size=40), st.booleans()
)
@settings(max_examples=200, deadline=None)
def test_every_value_is_covered_by_its_fields_tokens_and_by_no_others(said, places, raw):
    """Whatever is cut where: together they hold the value as it was written, and none lies outside a value."""
    record, write, before, after = said
    written = write(record)
    reply = before + written + after
    record = read_record(reply, lambda _: None).record
    if record is None:  # an odd record, such as one without a key; no reader takes it
        return
    tokens = cut(reply, places, raw=raw)
    begun = dict(zip(map(id, tokens), _begins(tokens, raw), strict=True))
    size = {id(token): len(token.raw if raw else token.text) for token in tokens}

    fields = value_tokens(reply, record, tokens)

    spans = value_places(reply, record)
    assert len(spans) == len([*leaves(record)])
    in_unit = [len(reply[:n].encode()) if raw else n for n in range(len(reply) + 1)]
    for path, (start, end) in spans.items():
        name = "/".join(step for step in path if isinstance(step, str))
        first, last = in_unit[start], in_unit[end]
        covering = [
            token
            for token in tokens
            if begun[id(token)] < last and begun[id(token)] + size[id(token)] > first
        ]
        assert start == end or all(token in fields[name] for token in covering)
    touching = {
        id(token)
        for start, end in spans.values()
        for token in tokens
        if begun[id(token)] < in_unit[end]
        and begun[id(token)] + size[id(token)] > in_unit[start]
        and start < end
    }
    assert {id(token) for found in fields.values() for token in found} == touching


def _begins(tokens, raw):
    at = 0
    for token in tokens:
        yield at
        at += len(token.raw if raw else token.text)


@given(records, writings)
@settings(max_examples=200, deadline=None)
def test_plain_json_is_read_faster_and_to_the_same_places(record, write):
    """A reply with words before it is read sign by sign, one without as the lexemes it is made of."""
    before = "So: "

    slow = value_places(before + write(record), record)

    assert value_places(write(record), record) == {
        path: (start - len(before), end - len(before)) for path, (start, end) in slow.items()
    }


@given(st.lists(st.sampled_from(["joy", "fear", "no anger", "31", "ja"]), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_the_scaffolds_probabilities_do_not_count(values):
    """A grammar's tokens have e^-10 each; the mean of a field is its values' alone."""
    record = {f"field_{n}": value for n, value in enumerate(values)}
    tokens = [Token("{", SCAFFOLD)]
    for n, (name, value) in enumerate(record.items()):
        tokens += [
            Token(f'{", " if n else ""}"{name}', SCAFFOLD),
            Token('":', SCAFFOLD),
            Token(' "', SCAFFOLD),
        ]
        tokens += [
            Token(value[:2], VALUE),
            *([Token(value[2:], VALUE)] if value[2:] else []),
            Token('"', SCAFFOLD),
        ]
    reply = "".join(token.text for token in [*tokens, Token("}", SCAFFOLD)])

    fields = value_tokens(reply, record, [*tokens, Token("}", SCAFFOLD), Token("<|im_end|>", SCAFFOLD)])
    means = {name: fmean(token.logprob for token in found) for name, found in fields.items()}

    assert means == dict.fromkeys(record, VALUE)


@pytest.mark.parametrize(
    ("reply", "record", "tokens"),
    [
        pytest.param('{"a": "b"}', {"a": "b"}, [Token('{"a": "x"}', -1.0)], id="tokens of another reply"),
        pytest.param('{"a": "b"}', {"a": "c"}, [Token('{"a": "b"}', -1.0)], id="a record that was mended since"),
        pytest.param('{"a": "b"}', {"a": "b"}, [], id="no tokens"),
        pytest.param('{"a": "é"}', {"a": "é"}, [Token('{"a": "', -1.0), Token("�", -1.0), Token("�", -1.0), Token('"}', -1.0)],
                     id="half characters without their bytes"),
        pytest.param("none", {"a": "b"}, [Token("none", -1.0)], id="no record"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_has_no_value_tokens(reply, record, tokens):
    """A signal that cannot be observed is none, never a number."""
    assert value_tokens(reply, record, tokens) == {}


def test_half_characters_are_made_whole_by_their_bytes():
    """An emoji may be three tokens; all of them are the value's."""
    reply = '{"a": "né 😀"}'
    whole = reply.encode()
    tokens = [
        Token(whole[n : n + 2].decode(errors="replace"), -1.0, raw=whole[n : n + 2])
        for n in range(0, len(whole), 2)
    ]

    found = value_tokens(reply, {"a": "né 😀"}, tokens)["a"]

    assert "né 😀".encode() in b"".join(token.raw for token in found)
    assert len(found) <= 6
