"""Recorded answers: kept, found, missed and recorded anew."""

import asyncio
import json

import pytest

from cupel.errors import InputError, RecordingMissingError
from cupel.models.completion import complete
from cupel.models.factory import open_model
from cupel.models.recordings import Recorder, Recording, request_key

MESSAGES = [{"role": "system", "content": "Judge."}, {"role": "user", "content": "A  long\nquestion"}]
SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean", "x-mark": 1}}}


def write(recordings, name="demo", **changes):
    recording = Recording(key=request_key(MESSAGES, SCHEMA), model="some-model", content='{"ok": true}')
    row = {field: getattr(recording, field) for field in Recording.__dataclass_fields__} | changes
    recordings.mkdir(exist_ok=True)
    (recordings / f"{name}.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")


async def test_an_answer_is_replayed(recordings):
    """A replayed answer costs nothing and needs no key."""
    write(recordings, usage={"input_tokens": 12, "output_tokens": 5})

    answer = await complete("recorded:demo", MESSAGES, schema=SCHEMA)

    assert answer.text == '{"ok": true}'
    assert (answer.input_tokens, answer.output_tokens) == (12, 5)


async def test_synchronous_callers_find_it_too(recordings):
    """A caller of `invoke` gets the recorded answer as well."""
    write(recordings, key=request_key([{"role": "user", "content": "hi"}], None), content="hello")

    assert (await asyncio.to_thread(open_model("recorded:demo").invoke, "hi")).content == "hello"


@pytest.mark.parametrize(
    ("messages", "schema"),
    [
        pytest.param([MESSAGES[0], {"role": "user", "content": "another"}], SCHEMA, id="another document"),
        pytest.param([{"role": "user", "content": "Judge."}, MESSAGES[1]], SCHEMA, id="another role"),
        pytest.param(MESSAGES, {"type": "object"}, id="another schema"),
        pytest.param(MESSAGES, None, id="no schema"),
    ],
)
async def test_any_change_of_the_request_is_another_request(recordings, messages, schema):
    """So a changed prompt cannot be answered by an outdated recording."""
    write(recordings)

    with pytest.raises(RecordingMissingError) as error:
        await complete("recorded:demo", messages, schema=schema)

    said = str(error.value)
    assert "demo.jsonl" in said
    assert request_key(messages, schema) in said
    assert "CUPEL_RECORD_BASE_URL" in said
    assert "1 others" in said
    assert "for a document of your own name another model" in said


def test_the_key_does_not_know_our_marks_nor_the_order_of_keywords():
    """What is sent decides."""
    reordered = {"properties": {"ok": {"type": "boolean"}}, "type": "object"}

    assert request_key(MESSAGES, SCHEMA) == request_key(MESSAGES, reordered)


async def test_a_missing_file_is_said_to_be_missing():
    """The request is shown on one line too."""
    with pytest.raises(RecordingMissingError, match=r"no such file.*'A long question'"):
        await complete("recorded:demo", MESSAGES)


async def test_unknown_requests_are_recorded_when_told_to(serve, recordings, monkeypatch):
    """A request is asked once, appended, and replayed from then on; the reply's own model is the provenance."""
    provider = serve(lambda body: {"ok": True})
    monkeypatch.setenv("CUPEL_RECORD_BASE_URL", f"{provider.url}/v1")

    first = await complete("recorded:demo", MESSAGES, schema=SCHEMA)
    monkeypatch.delenv("CUPEL_RECORD_BASE_URL")
    again = await complete("recorded:demo", MESSAGES, schema=SCHEMA)

    (row,) = [json.loads(line) for line in (recordings / "demo.jsonl").read_text().splitlines()]
    assert first.text == again.text == '{"ok": true}'
    assert provider.counts.requests == 1
    assert provider.requests[0]["model"] == "demo"
    assert row["key"] == request_key(MESSAGES, SCHEMA)
    assert row["request_digest"] == "A long question"
    assert (again.input_tokens, again.output_tokens) == (first.input_tokens, first.output_tokens)


async def test_two_askers_record_one_answer(serve, recordings, monkeypatch):
    """The first on disk stays."""
    provider = serve(lambda body: {"ok": True}, latency_s=0.05)
    monkeypatch.setenv("CUPEL_RECORD_BASE_URL", f"{provider.url}/v1")

    await asyncio.gather(*(complete("recorded:demo", MESSAGES, schema=SCHEMA) for _ in range(4)))

    assert len((recordings / "demo.jsonl").read_text().splitlines()) == 1


def test_what_another_process_appended_is_found(tmp_path):
    """The file is read again when a key is not known."""
    ours, theirs = Recorder(tmp_path / "x.jsonl"), Recorder(tmp_path / "x.jsonl")
    assert ours.get("k") is None

    theirs.add(Recording(key="k", model="m", content="c"))

    assert ours.get("k") == theirs.get("k")
    assert len(ours) == 1


def test_a_known_answer_is_never_replaced(tmp_path):
    """A recording is evidence, not a cache."""
    recorder = Recorder(tmp_path / "x.jsonl")
    recorder.add(Recording(key="k", model="m", content="first"))
    recorder.add(Recording(key="k", model="m", content="second"))

    found = Recorder(tmp_path / "x.jsonl").get("k")
    assert found is not None
    assert found.content == "first"


@pytest.mark.parametrize("line", ["{", "[]", '{"key": "k"}'])
def test_a_line_that_is_no_recording_is_named(tmp_path, line):
    """File and line, so that it can be fixed."""
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"key": "a", "model": "m", "content": "c", "later_field": 1}}\n\n{line}\n')

    with pytest.raises(InputError, match=r"x\.jsonl, line 3"):
        Recorder(path).get("b")
