"""`evals/prompts.py`: several prompts, one reader, the same documents nobody has read."""

from __future__ import annotations

import json

import pytest

from cupel.testing import scripted
from tests.conftest import ROOT, load_script

TEXT = "Mr President, the Commission was in Lisbon, and Spain was not."
GOLD = [(18, 28, "ORG"), (36, 42, "LOC"), (48, 53, "LOC")]


@pytest.fixture(scope="module")
def prompts():
    """The script as a module; its sets stand beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "evals"))
        yield load_script(ROOT / "evals" / "prompts.py")


@pytest.fixture
def data(tmp_path):
    """A set of forty documents, every other of them of a block that was read."""
    folder = tmp_path / "ner_europarl"
    folder.mkdir()
    spans = [{"start": a, "end": b, "label": label, "text": TEXT[a:b]} for a, b, label in GOLD]
    lines = [
        {"id": f"n{n}", "text": f"{TEXT} {n}", "meta": {"block": (20, 1)[n % 2]}, "gold": {"spans": spans}}
        for n in range(40)
    ]
    (folder / "dev.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / "dev.jsonl"


def reader(messages, schema):
    """Finds every name when it was told what one is, and one of three when asked plainly."""
    if "items" in schema["properties"]:
        return {"items": [{"quote": "Commission", "label": "ORG"}]}
    names = [("Commission", "ORG"), ("Lisbon", "LOC"), ("Spain", "LOC")]
    return {"entities": [{"quote": quote, "type": label} for quote, label in names]}


def test_only_documents_of_unread_blocks_are_shown_and_always_the_same(prompts, data):
    """What a prompt's author has read says nothing of the prompt."""
    told = prompts.SETS["ner_europarl"]
    chosen = told.documents(data, 10)

    assert {each["meta"]["block"] for each in chosen} == {20}
    assert chosen == told.documents(data, 20)[:10]


async def test_every_prompt_is_read_through_the_graph_and_compared_with_the_last(
    prompts, data, project, capsys
):
    """The plain sentence finds a third of the names, the task all of them: the gain and its interval say so."""
    told = prompts.SETS["ner_europarl"]
    gold = told.documents(data, 12)
    tasks = {name: prompts.task_of(name, told, project) for name in ("plain", "active")}
    with scripted({"scripted:reader": reader}) as answering:
        readings = await prompts.read_all(tasks, gold, "scripted:reader", project, told)
    prompts.tell(readings, gold, told)
    printed = capsys.readouterr().out
    systems = {request.messages[0]["content"] for request in answering["scripted:reader"].requests}

    assert "plain: spans.exact.micro_f1 0.500" in printed
    assert "active: spans.exact.micro_f1 1.000" in printed
    assert "active against plain: spans.exact.micro_f1 +0.500 [+0.500, +0.500]" in printed
    assert told.plain in systems
    assert len(systems) == 2


async def test_a_reader_is_not_told_which_set_a_document_is_of(prompts, data, project):
    """A model may know a set's labels by heart, and a set by its ids."""
    told = prompts.SETS["ner_europarl"]
    gold = told.documents(data, 3)
    with scripted({"scripted:reader": reader}) as answering:
        readings = await prompts.read_all(
            {"active": prompts.task_of("active", told, project)}, gold, "scripted:reader", project, told
        )
    sent = str([request.messages for request in answering["scripted:reader"].requests])

    assert [answer["id"] for answer in readings[0].answers] == [each["id"] for each in gold]
    assert not [each["id"] for each in gold if f'"{each["id"]}"' in sent]


def test_a_folder_of_a_task_elsewhere_is_a_prompt(prompts, project):
    """An earlier commit's worktree is compared with as it stands."""
    told = prompts.SETS["argument_components"]
    task = prompts.task_of(str(ROOT / "prompts" / "arguments"), told, project)

    assert task.prompts["extract"] == prompts.task_of("active", told, project).prompts["extract"]


def test_floors_are_told_beside_what_was_asked(prompts, data, tmp_path, capsys):
    """A file with baselines, as an independent scorer has, serves every labelled set."""
    told = prompts.SETS["ner_europarl"]
    gold = told.documents(data, 12)
    baselines = tmp_path / "floors.py"
    baselines.write_text(
        "NAMES = {'ner_europarl': ['nothing', 'oracle']}\n"
        "def run(name, floor, gold): return [{'id': each['id'], 'spans': []} for each in gold]\n"
    )
    prompts.tell_floors("ner_europarl", gold, told, baselines)

    assert capsys.readouterr().out.startswith("floor, nothing: spans.exact.micro_f1 0.000")


@pytest.mark.parametrize("name", ["emotion", "stance", "timeline", "threads"])
def test_a_plain_sentence_has_what_the_task_is_given_and_nothing_of_its_prompt(prompts, project, name):
    """The further inputs stand in front of the document, the sentence alone in the system part."""
    told = prompts.SETS[name]
    plain = prompts.task_of("plain", told, project)

    assert plain.prompts["extract"].startswith(f"# system\n{told.plain}\n# user\n")
    assert set(plain.inputs) == set(told.inputs)
