"""Labels in whatever file people keep them: read in one format, checked by line, and what is left out counted."""

from __future__ import annotations

import json

import pytest

from cupel.errors import InputError
from cupel.metrics.gold import open_gold, read_labels, verdict_of
from cupel.tables import open_table
from cupel.task import load_task
from tests.conftest import ROOT

STANCE = load_task("stance", ROOT / "prompts")
ENTITIES = load_task("entities", ROOT / "prompts")
ARGUMENTS = load_task("arguments", ROOT / "prompts")
NAMES = {"entities": [{"quote": "House", "type": "ORG"}]}


def as_lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def golds(path, text, task=STANCE, **how):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    labels = read_labels(path, task, **how)
    return {line.doc_id: line.gold for line in labels.lines}, labels.notes


FAVOR = {"stance": "favor"}
GOOD = {
    "gold as an object": ("l.jsonl", as_lines({"id": "a", "gold": FAVOR})),
    "gold as JSON in a cell": ("l.csv", 'id,gold\na,"{""stance"": ""favor""}"\n'),
    "the label alone, of the one field that is compared": ("l.csv", "id,gold\na,favor\n"),
    "a column for a field": ("l.csv", "id,gold.stance\na,favor\n"),
    "as Excel writes it: with a mark, semicolons and its line ends": (
        "l.csv", b"\xef\xbb\xbfid;gold.stance\r\na;favor\r\n",
    ),
    "tabs": ("l.tsv", "id\tgold\na\tfavor\n"),
    "an array of objects": ("l.json", json.dumps([{"id": "a", "gold": FAVOR}])),
    "ids under another name": ("l.jsonl", as_lines({"doc_id": "a", "gold": FAVOR})),
    "ids as a run's output calls them": ("l.jsonl", as_lines({"stance_doc_id": "a", "gold": FAVOR})),
    "as calibrate took it": ("l.jsonl", as_lines({"id": "a", "record": FAVOR})),
    "checked by a person": ("l.csv", "id,checked,gold\na,TRUE,favor\nb,FALSE,against\n"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), GOOD.values(), ids=GOOD)
def test_the_same_gold_is_read_from_every_form_of_the_format(tmp_path, name, text):
    """One reader for all of them: a record by its document's id."""
    assert golds(tmp_path / name, text)[0] == {"a": FAVOR}


def test_an_id_that_is_a_number_is_the_same_in_every_file(tmp_path):
    """7 in JSON and 7 in a CSV name one document."""
    from_json, _ = golds(tmp_path / "l.jsonl", as_lines({"id": 7, "gold": FAVOR}))
    from_csv, _ = golds(tmp_path / "l.csv", "id,gold\n7,favor\n")

    assert from_json == from_csv == {"7": FAVOR}


BAD = {
    "a label that there is not": (STANCE, {"gold": {"stance": "pro"}}, 'stance: "pro" is not one of "favor"'),
    "a field of an older schema": (STANCE, {"gold": {"stances": "favor"}}, "no field 'stances'; did you mean 'stance'?"),
    "nothing of what is compared": (STANCE, {"gold": {"label": "favor"}}, "has none of stance, which the metric 'stance' compares; it has label"),
    "no object": (STANCE, {"gold": "{broken"}, "is no JSON"),
    "a list where a label is": (STANCE, {"gold": {"stance": ["favor"]}}, "stance"),
    "an item's label that there is not": (ENTITIES, {"gold": {"entities": [{"quote": "a", "type": "Peop"}]}}, 'entities/0/type: "Peop" is not one of'),
    "an item's field that there is not": (ENTITIES, {"gold": {"entities": [{"text": "a"}]}}, "'text' was unexpected"),
    "a plain word where it could be any field": (ARGUMENTS, {"gold": "support"}, "names no one field it could be"),
    "no id": (STANCE, {"id": "", "gold": FAVOR}, "has no id"),
    "a verdict that is none": (STANCE, {"label": "perhaps", "record": {}}, "neither pass nor fail"),
    "a criterion that there is not": (STANCE, {"labels": {"beauty": "pass"}}, "no criterion 'beauty'; stance has"),
}  # fmt: skip


@pytest.mark.parametrize(("task", "row", "why"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_named_with_its_line(tmp_path, task, row, why):
    """The error names the file and the line, the value, and those there are."""
    path = tmp_path / "l.jsonl"
    path.write_text("\n" + as_lines({"id": "a", **row}))

    with pytest.raises(InputError, match=r"l\.jsonl: 1 line is no labels of task") as error:
        read_labels(path, task)

    assert f"{path}:2: " in str(error.value)
    assert why in str(error.value)


def test_all_faults_are_counted_and_the_first_are_shown(tmp_path):
    """A file of an older schema does not flood the screen."""
    text = as_lines(*({"id": f"d{n}", "gold": {"old": 1}} for n in range(9)))

    with pytest.raises(InputError, match=r"9 lines are no labels(.|\n)*… and 4 more"):
        golds(tmp_path / "l.jsonl", text)


def test_what_is_left_out_is_counted(tmp_path):
    """Lines without gold, unchecked ones and repeated ones."""
    rows = [
        {"id": "a", "gold": FAVOR, "checked": True}, {"id": "a", "gold": FAVOR, "checked": True},
        {"id": "b", "gold": None, "checked": True}, {"id": "c", "gold": FAVOR, "checked": False},
    ]  # fmt: skip
    found, notes = golds(tmp_path / "l.jsonl", as_lines(*rows))

    assert found == {"a": FAVOR}
    assert [note.split(": ", 1)[1] for note in notes] == [
        "1 line has no gold or label: left out",
        "1 line is not checked by anybody yet (`checked` says so): left out",
        "1 line is the same as an earlier one of the same id: counted once",
    ]


def test_two_golds_of_one_document_are_no_gold(tmp_path):
    """Neither of the two is taken silently."""
    with pytest.raises(
        InputError, match=r"l.jsonl:2: the id 'a' stands in .*l.jsonl:1 too, and says something"
    ):
        golds(tmp_path / "l.jsonl", as_lines({"id": "a", "gold": FAVOR}, {"id": "a", "gold": "against"}))


def documents(tmp_path, *rows):
    path = tmp_path / "documents.jsonl"
    path.write_text(as_lines(*({"id": f"d{n}", "text": "x", **row} for n, row in enumerate(rows))))
    return open_table(path, default_id="id")


def test_gold_comes_from_the_column_gold_a_column_that_is_named_or_a_file(tmp_path):
    """A file wins over the input's own column, and that is said."""
    table = documents(tmp_path, {"gold": FAVOR, "mine": "against"}, {})
    (tmp_path / "l.csv").write_text("id,gold\nd1,none\n")
    own, named = open_gold("", table, STANCE), open_gold("mine", table, STANCE)
    file = open_gold(str(tmp_path / "l.csv"), table, STANCE)

    assert (own.of(0, "d0"), own.of(1, "d1")) == (FAVOR, None)
    assert named.of(0, "d0") == {"stance": "against"}
    assert (file.of(0, "d0"), file.of(1, "d1")) == (None, {"stance": "none"})
    assert "own column 'gold' is not used" in file.notes[-1]


def test_gold_that_is_nowhere_is_told_or_silent_as_it_was_asked_for(tmp_path):
    """Nothing told and nothing there is no gold; a column or file that is named must be there."""
    table = documents(tmp_path, {})

    assert open_gold("", table, STANCE) is None
    with pytest.raises(
        InputError, match="no gold 'mine': neither a file nor a column; the columns are id, text"
    ):
        open_gold("mine", table, STANCE)
    with pytest.raises(InputError, match="no such file"):
        open_gold("none.csv", table, STANCE)


def test_labels_of_other_documents_are_counted_and_labels_of_none_are_refused(tmp_path):
    """An id column that does not fit would score nothing."""
    (tmp_path / "l.csv").write_text("id,gold\nd1,none\nzz,favor\n")
    gold = open_gold(str(tmp_path / "l.csv"), documents(tmp_path, {}, {}), STANCE)

    assert "1 label is of no document here, such as 'zz': left out" in gold.match(["d0", "d1"])
    assert gold.match(["d1", "zz"]) is None
    with pytest.raises(
        InputError, match="none of its 2 ids, such as 'd1', is of a document here, such as 'x0'"
    ):
        gold.match(["x0"])


def test_gold_of_a_data_sets_own_kind_will_do_where_no_metric_compares_it(tmp_path):
    """`cupel eval` scores spans without a record."""
    table = documents(tmp_path, {"gold": {"spans": []}})

    assert open_gold("", table, ENTITIES, scored=False).of(0, "d0") == {"spans": []}
    with pytest.raises(InputError, match="has none of entities"):
        open_gold("", table, ENTITIES)


@pytest.mark.parametrize(
    ("said", "verdict"), [(True, True), (" FAIL ", False), ("unknown", None), (None, None)]
)
def test_a_verdict_is_read_as_people_write_it(said, verdict):
    """Pass and fail in several words; what could not be decided is none."""
    assert verdict_of(said) is verdict
