"""Forty payloads in every field there is, through a whole run and all that reads it: the terminal's bytes, CSV, Parquet."""

from __future__ import annotations

import csv
import io
import json
import re

import pyarrow.parquet as pq
import pytest

from cupel.testing.provider import RawReply, ScriptedProvider
from tests.integration.here import command
from tests.integration.test_no_traceback import MACHINE, OK, USAGE
from tests.unit.cli.test_streams import HOSTILE, bytes_acting
from tests.unit.report.test_hostile_pages import payloads

pytestmark = pytest.mark.soak
FORMULAS = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", '=HYPERLINK("http://127.0.0.1:9")', "＝1+1"]
TEXTS = [*payloads("http://127.0.0.1:9"), HOSTILE, *FORMULAS]
WHOLE = [text.replace("\ud800", "\ufffd") for text in TEXTS]


def name_of(text):
    """A file's name made of a payload, as far as a file system takes it."""
    return text.replace("/", "∕").replace("\0", "")[:40]


def answer(body):
    """The model says the payload back, in keys and values; every fifth document is an error that quotes it."""
    [number] = {
        int(number)
        for message in body["messages"]
        for number in re.findall(r"No (\d+): ", message["content"])
    }
    if number % 5 == 4:
        return RawReply(status=400, body={"error": {"message": WHOLE[number], "code": WHOLE[number][:60]}})
    return {"label": WHOLE[number], "why": [WHOLE[number], WHOLE[-1 - number]]}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder of three runs, one for each format, and everything that was said on the way."""
    folder = tmp_path_factory.mktemp("hostile")
    said = []
    fields = {
        "label": {"type": "string", "description": WHOLE[0]},
        "why": {"type": "array", "items": {"type": "string"}},
    }
    schema = {"title": WHOLE[2], "description": WHOLE[3], "type": "object", "properties": fields}
    (folder / "schema.json").write_text(json.dumps(schema))
    rows = [
        {
            "id": text,
            "text": f"No {number}: {text} We must act.",
            name_of(text) or "x": text,
            "more": {text: text},
        }
        for number, text in enumerate(WHOLE)
    ]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    source = f"{name_of(HOSTILE)}.jsonl"
    (folder / source).write_text(
        "".join(json.dumps({key: row.get(key) for key in keys}) + "\n" for row in rows)
    )
    with ScriptedProvider(answer) as provider:
        env = {**provider.environment(), "FORCE_COLOR": "1", "COLUMNS": "120"}
        asked = [
            "run",
            source,
            "--schema",
            "schema.json",
            "--cheap-model",
            "local:x",
            "--judge",
            "never",
            "--wait",
            "1",
            "--max-retries",
            "0",
        ]
        for out in ("out.csv", "safe.csv", "out.parquet", "out.jsonl"):
            safe = ["--safe-csv"] if out == "safe.csv" else []
            said.append(command(folder, *asked, "--out", out, *safe, env=env))  # runs, in turn
        more = [["show", text] for text in (*TEXTS[:40:8], *TEXTS[40:44])]
        more += [["failures"], ["report"], ["plan", *asked[1:6]], ["show", WHOLE[0], "--prompts"]]
        named = [
            [f"{name_of(text)}.csv", "--task", text, "--text-column", text, "--cheap-model", text]
            for text in (*TEXTS[::6], HOSTILE)
        ]
        said += [command(folder, *words, env=env) for words in (*more, *(["run", *names] for names in named))]
    return folder, said


def test_no_byte_of_it_acts_on_a_terminal(ran):
    """Nothing below a space but line ends and our own colours, whatever was asked; and nothing crashed."""
    _, said = ran

    assert [bytes_acting(done.said) for done in said if bytes_acting(done.said)] == []
    assert [done for done in said if done.code not in (OK, USAGE, MACHINE)] == []
    assert not any("Traceback" in done.said or "Unforeseen" in done.said for done in said)
    assert any("\x1b[" in done.said for done in said)


@pytest.mark.parametrize("name", ["out.csv", "safe.csv"])
def test_a_csv_says_what_was_there(ran, name):
    """Every row and cell is found again; what a spreadsheet would run is text where that was asked for."""
    folder, said = ran
    text = (folder / name).read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    acting = [cell for row in csv.reader(io.StringIO(text)) for cell in row if cell[:1] in tuple("=+-@\t\r")]
    formulas = [cell for cell in acting if not re.fullmatch(r"[+-]\d+", cell)]  # a number is shown

    assert len(rows) == len(WHOLE)
    assert bool(formulas) == (name == "out.csv")
    assert name == "safe.csv" or [row["id"] for row in rows] == WHOLE
    assert "spreadsheet" in said[0].said


def test_a_parquet_file_says_what_was_there(ran):
    """Ids, cells and models' words come back as they were."""
    folder, _ = ran
    table = pq.read_table(folder / "out.parquet")

    assert table.column("id").to_pylist() == WHOLE
    assert table.num_rows == len(WHOLE)
