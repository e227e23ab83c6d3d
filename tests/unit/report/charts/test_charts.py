"""Charts: the figures they show, the pictures they become, and what they refuse."""

import re
from pathlib import Path

import pandas as pd
import pytest

import cupel
from cupel.errors import InputError, SettingError
from cupel.report import KINDS, ChartRows, draw_chart, possible_kinds
from tests.conftest import ROOT

TEXT = "We must act. Prices rose. 😀 Nobody asked us."


def item(doc, pointer, text, **more):
    """A row of a tidy table."""
    start = TEXT.index(text)
    return {
        "a_doc_id": doc, "text": TEXT, "item_list": pointer.split("/")[1], "item_pointer": pointer, "item_text": text,
        "item_start": start, "item_end": start + len(text), "item_match": "verbatim", **more,
    }  # fmt: skip


def speeches():
    """Three documents of two groups: two with items, one without."""
    own = {
        "d1": {"meta": {"group": "S&D", "who": "Ann"}, "date": "2025-03-10", "record_stance": "support"},
        "d2": {"meta": {"group": "PPE", "who": "Bob"}, "date": "2025-03-11", "record_stance": "support"},
        "d3": {"meta": {"group": "PPE", "who": "Cay"}, "date": "2025-04-01", "record_stance": "oppose"},
    }
    rows = [
        item("d1", "/claims/0", "We must act.", item_id=1, item_supports=None, item_supports_text=None),
        item("d1", "/premises/0", "Prices rose.", item_supports=1, item_supports_text="We must act."),
        item("d1", "/premises/1", "Nobody asked us.", item_supports=1, item_supports_text="We must act."),
        item("d2", "/claims/0", "We must act.", item_id=1, item_supports=None, item_supports_text=None),
        {"a_doc_id": "d3", "text": TEXT, "item_list": None, "item_pointer": None},
    ]
    return [{**row, **own[row["a_doc_id"]]} for row in rows]


def drawn(kind, **told):
    """A chart of the three."""
    return draw_chart(ChartRows.of(speeches(), "text"), kind, **told)


def test_a_document_is_counted_once_however_many_items_it_has():
    """A field of the record is the document's, a field of an item each item's."""
    assert drawn("counts", field="stance").rows == [
        {"value": "support", "number": 2},
        {"value": "oppose", "number": 1},
    ]
    assert drawn("counts", field="list").rows == [
        {"value": "claims", "number": 2},
        {"value": "premises", "number": 2},
    ]


def test_a_title_of_ones_own_stands_above_the_picture():
    """The id of a document says nothing to a reader."""
    chart = drawn("evidence", doc="d1", title="Ann")

    assert (chart.title, chart.spec["title"]) == ("Ann", "Ann")
    assert drawn("evidence", doc="d1").title == "Marked in d1"


def test_of_two_documents_the_labels_are_counted_and_not_what_was_written_about_them():
    """A free text has as few values there as a label has."""
    rows = [{"record_matter": f"What document {row['a_doc_id']} is about", **row} for row in speeches()[:4]]

    assert draw_chart(ChartRows.of(rows, "text"), "counts").rows == [{"value": "support", "number": 2}]


def test_a_column_inside_a_column_of_objects_is_found_by_its_last_name():
    """`group` stands for `meta.group` where only one is called so."""
    assert drawn("counts", field="stance", by="group").rows == [
        {"group": "PPE", "value": "oppose", "number": 1},
        {"group": "PPE", "value": "support", "number": 1},
        {"group": "S&D", "value": "support", "number": 1},
    ]


def test_shares_say_how_large_a_group_is():
    """A share of two documents says little, so the number stands beside the name."""
    values = drawn("shares", field="stance", by="group").spec["data"]["values"]

    assert {(row["group"], row["value"], row["share"]) for row in values} == {
        ("PPE  (2)", "oppose", 0.5),
        ("PPE  (2)", "support", 0.5),
        ("S&D  (1)", "support", 1.0),
    }


def test_time_is_cut_into_days_months_or_years():
    """Days as long as they are few, then months."""
    assert [row["group"] for row in drawn("time").rows] == ["2025-03-10", "2025-03-11", "2025-04-01"]
    many = [
        {
            "a_doc_id": f"d{n}",
            "item_pointer": None,
            "record_stance": "support",
            "date": f"2025-{1 + n % 12:02}-{1 + n % 28:02}",
        }
        for n in range(100)
    ]
    months = draw_chart(ChartRows.of(many, "text"), "time").rows
    assert [row["group"] for row in months] == [f"2025-{month:02}" for month in range(1, 13)]
    assert sum(row["number"] for row in months) == 100


def test_most_counts_what_items_refer_to_and_else_the_documents_with_a_value():
    """Two premises for one claim; the same words in two documents."""
    assert drawn("most").rows == [{"value": "We must act.", "number": 2}]
    assert drawn("most", field="text").rows[0] == {"value": "We must act.", "number": 2}


def test_links_join_each_premise_to_its_claim():
    """The document with most items is drawn where none is named."""
    chart = drawn("links")
    lines = chart.spec["layer"][0]["data"]["values"]

    assert chart.title == "What refers to what in d1"
    assert len(lines) == 2
    assert {(line["x2"], line["y2"]) for line in lines} == {(lines[0]["x2"], lines[0]["y2"])}
    assert [row["refers_to"] for row in chart.rows] == ["", "We must act.", "We must act."]


def test_speakers_are_joined_by_the_values_they_share():
    """Ann and Bob say the same once; Cay says nothing."""
    [line] = drawn("speakers", by="who", field="text").rows

    assert line == {"one": "Ann", "other": "Bob", "number": 1, "counted": "shared values"}


def test_a_network_is_laid_out_the_same_each_time_and_on_the_page():
    """No chance is in it, and no place outside."""
    names = [f"n{n}" for n in range(12)]
    rows = [
        {
            "a_doc_id": f"d{n}",
            "item_list": "names",
            "item_pointer": f"/names/{k}",
            "item_text": names[(n + k) % 12],
        }
        for n in range(12)
        for k in range(3)
    ]
    first, again = (draw_chart(ChartRows.of(rows, "text"), "together") for _ in range(2))
    points = first.spec["layer"][1]["data"]["values"]

    assert first.spec == again.spec
    assert all(0 <= point["x"] <= 760 and 0 <= point["y"] <= 560 for point in points)
    assert len({(point["x"], point["y"]) for point in points}) == 12


def test_evidence_marks_the_very_words_also_after_signs_of_two_places():
    """A mark is as wide as its words, and stands where they do."""
    chart = drawn("evidence", doc="d1")
    marks, words = (chart.spec["layer"][place]["data"]["values"] for place in (0, 1))
    nobody = next(word for word in words if word["label"] == "Nobody")

    assert [row["text"] for row in chart.rows] == ["We must act.", "Prices rose.", "Nobody asked us."]
    assert any(mark["x"] == nobody["x"] for mark in marks)
    assert all(mark["x2"] > mark["x"] for mark in marks)


def test_what_a_document_says_is_data_and_never_markup(tmp_path):
    """No script, no style, no handler and nothing that is fetched stands in an SVG or a page."""
    pytest.importorskip("vl_convert")
    evil = "</text><script>alert(1)</script> javascript:x {{1}} \x07\ud800\u202e"
    rows = [{"a_doc_id": n, "item_pointer": None, "record_stance": evil, "group": evil} for n in range(3)]
    chart = draw_chart(ChartRows.of(rows, "text"), "counts", field="stance", by="group")
    svg, page = chart.save(tmp_path / "x.svg").read_text(), chart.save(tmp_path / "x.html").read_text()

    for made in (svg, page):
        assert "<script" not in made
        assert not re.search(r" (?:src|href|on\w+)=\"", made.replace("xmlns:xlink", ""))
    assert " style=" not in svg
    assert "default-src &#x27;none&#x27;; script-src &#x27;none&#x27;" in page
    assert chart.save(tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("kind", "told", "words"),
    [
        ("pie", {}, "a chart is one of counts"),
        ("shares", {}, "by=COLUMN"),
        ("counts", {"field": "stanse"}, "no column of that name; take one of"),
        ("links", {"doc": "d9"}, "no document 'd9'"),
        ("time", {"by": "group"}, "is no date"),
        ("together", {"field": "supports"}, "no network to draw"),
    ],
)
def test_what_cannot_be_drawn_is_said_with_what_can(kind, told, words):
    """The columns, kinds and documents there are stand in the message."""
    with pytest.raises(InputError, match=re.escape(words)):
        drawn(kind, **told)


def test_without_the_library_there_are_figures_and_a_sentence(monkeypatch):
    """A notebook shows the figures; saving says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    chart = drawn("counts")

    assert "<table>" in chart._repr_mimebundle_()["text/html"]
    with pytest.raises(SettingError, match=re.escape("cupel[charts]")):
        chart.to_svg()


def test_a_frame_of_records_is_tidied_first(tmp_path):
    """`cupel.chart` takes what `enrich` returned, and what `tidy` did."""
    record = {
        "matter": "x",
        "claims": [{"id": 1, "quote": "We must act."}],
        "premises": [],
        "stance": "support",
    }
    frame = pd.DataFrame({"text": [TEXT, TEXT], "arguments": [record, None], "arguments_doc_id": ["a", "b"]})
    before = frame.copy(deep=True)

    of_records = cupel.chart(frame, "counts", field="stance")
    assert of_records.rows == [{"value": "support", "number": 1}]
    for first in (frame, frame[::-1]):
        tidied = cupel.tidy(first, "arguments")
        assert cupel.chart(tidied, "counts", field="stance").rows == of_records.rows
    pd.testing.assert_frame_equal(frame, before)


def test_kinds_that_need_a_group_are_left_out_without_one():
    """`cupel charts` draws what can be drawn."""
    rows = ChartRows.of(speeches(), "text")

    assert {"shares", "speakers"}.isdisjoint(possible_kinds(rows, by=None))
    assert possible_kinds(rows, by="group") == list(KINDS)


def test_the_page_of_charts_shows_the_set_that_its_command_draws():
    """Every picture is shown, and none is there that the command does not draw."""
    source = (ROOT / "docs" / "charts" / "draw.py").read_text()
    named = {
        f"{name}.svg"
        for name in re.findall(r'^    "([\w-]+)": \("(?:arguments|entities)"', source, re.MULTILINE)
    }
    page = (ROOT / "docs" / "charts.md").read_text()

    assert {path.name for path in (ROOT / "docs" / "charts").glob("*.svg")} == named
    assert {Path(path).name for path in re.findall(r"\]\((charts/[\w-]+\.svg)\)", page)} == named
    assert {kind for kind in KINDS if f"## {kind}:" in page} == set(KINDS)
