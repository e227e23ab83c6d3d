"""Excel in, Excel out."""

import datetime as dt
import zipfile

import pytest
import xlsxwriter

from cupel.errors import InputError, SettingError
from cupel.tables.columns import outcome_columns, task_columns
from cupel.tables.reading import open_table
from cupel.tables.writing import open_writer
from tests.unit.tables.factory import SCHEMA, outcome


def workbook(path, **sheets):
    """A workbook of these sheets, each a list of rows."""
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for place, row in enumerate(rows):
                sheet.write_row(place, 0, row)
    return path


ROWS = [["id", "text", "day", "share", "open"], [17, "We must act.", dt.date(2026, 3, 1), 0.25, True]]


def test_a_sheet_comes_back_with_the_outcome_beside_it(tmp_path):
    """Whole numbers are integers, dates dates, and what is empty is empty; the text keeps every sign."""
    source = workbook(tmp_path / "in.xlsx", Sheet1=[*ROWS, [], [18, " a\nb ü\x01 _x0041_", "", "", False]])
    table, target = open_table(source, default_id="id"), tmp_path / "out.xlsx"
    with open_writer(target, table.layout, "stance", record_schema=SCHEMA) as writer:
        for row in table:
            writer.write(row.values, outcome_columns(outcome(), "stance"))
    back = open_table(target)

    assert back.columns == (*ROWS[0], *task_columns("stance"))
    assert [row.doc_id for row in table] == ["17", "18"]
    for rows in (list(table), list(back)):
        assert [rows[0].values[name] for name in ROWS[0]] == [
            17,
            "We must act.",
            dt.date(2026, 3, 1),
            0.25,
            True,
        ]
        assert [rows[1].values[name] for name in ROWS[0]] == [18, " a\nb ü\x01 _x0041_", None, None, False]
        assert next(row.line for row in rows) == 2
    assert next(iter(back)).values["stance_confidence"] == 0.875


def test_nothing_of_a_cell_is_run_or_followed(tmp_path):
    """A document that begins with = stays a text, and an address no link."""
    target = tmp_path / "out.xlsx"
    with open_writer(target, ["text"], "stance") as writer:
        for text in ("=1+1", "https://example.org/", "{=A1}", "12"):
            writer.write({"text": text}, outcome_columns(None, "stance"))
    with zipfile.ZipFile(target) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        names = archive.namelist()

    assert "<f>" not in sheet
    assert "<hyperlink" not in sheet
    assert [row.text for row in open_table(target)] == ["=1+1", "https://example.org/", "{=A1}", "12"]
    assert not [name for name in names if "rels/sheet" in name]


def test_a_text_longer_than_a_cell_is_cut_and_said_to_be(tmp_path):
    """Excel takes 32,767 characters; an integer it would round is text."""
    target = tmp_path / "out.xlsx"
    with open_writer(target, ["text", "key"], "stance") as writer:
        writer.write({"text": "a" * 40_000, "key": 2**60}, outcome_columns(None, "stance"))

    [row] = open_table(target)
    assert row.text == "a" * 32_766 + "…"
    assert row.values["key"] == str(2**60)
    assert "1 cells of" in writer.notes[0]
    assert "a .jsonl or .csv output has them whole" in writer.notes[0]


def test_the_sheet_with_the_texts_is_taken(tmp_path):
    """A workbook often begins with a page about itself."""
    source = workbook(tmp_path / "in.xlsx", About=[["Made by us"]], Data=ROWS)

    assert [row.text for row in open_table(source)] == ["We must act."]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["text", "text"], ["a", "b"]], "column 'text' occurs twice, as number 1 and 2"),
        ([["text", "", "x"], ["a", "b", "c"]], "column 2 has no name"),
        ([["text"]], "holds no rows, only column names"),
        ([["speech"], ["a"]], r"no column 'text' \(--text-column\). The columns are 'speech'"),
    ],
)
def test_what_is_wrong_with_a_sheet_is_said(tmp_path, rows, words):
    """Before anything is paid, as with every format."""
    with pytest.raises(InputError, match=words):
        open_table(workbook(tmp_path / "in.xlsx", Sheet1=rows))


def test_a_workbook_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    """One cell far away makes a rectangle of seventeen thousand million."""
    far = tmp_path / "far.xlsx"
    with xlsxwriter.Workbook(far) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "text")
        sheet.write(1_048_575, 16_383, "x")
    with pytest.raises(InputError, match="reaches to row 1,048,576 and column 16,384"):
        open_table(far)
    monkeypatch.setattr("cupel.tables.excel._LARGEST", 1000)
    with pytest.raises(InputError, match="unpacks to more than"):
        open_table(workbook(tmp_path / "in.xlsx", Sheet1=ROWS))


def test_excel_without_its_packages_names_the_extra(tmp_path, monkeypatch):
    """The library does without them."""
    monkeypatch.setitem(__import__("sys").modules, "python_calamine", None)
    (tmp_path / "in.xlsx").write_bytes(b"PK")

    with pytest.raises(SettingError, match=r"pip install 'cupel\[excel\]'"):
        open_table(tmp_path / "in.xlsx")


def formulas(path, column, *, stale=False, cell='<c r="B2"><f>CONCATENATE("We must ","act.")</f></c>'):
    """A workbook whose second column has a formula below its name, as programs write them that do not calculate."""
    workbook(path, Notes=[["here be notes"]], Sheet1=[["id", column, "share"], [1, "HERE", 2]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    sheet = "xl/worksheets/sheet2.xml"
    assert '<c r="B2" t="s"><v>4</v></c>' in parts[sheet]
    parts[sheet] = parts[sheet].replace('<c r="B2" t="s"><v>4</v></c>', cell)
    if not stale:
        parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(' fullCalcOnLoad="1"', "")
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


def test_documents_that_nobody_calculated_are_no_empty_ones(tmp_path):
    """The file is refused before anything is paid: which cells, and what to do."""
    path = formulas(tmp_path / "in.xlsx", "text")

    with pytest.raises(
        InputError, match=r"in.xlsx: sheet 'Sheet1': 1 cells of 'text' .* \(B2\).*save it, and run again"
    ):
        open_table(path)


@pytest.mark.parametrize(
    ("cell", "stale", "told"),
    [
        pytest.param('<c r="B2"><f>A2</f><v></v></c>', False, True, id="an empty result"),
        pytest.param('<c r="B2"><f>A2</f><v /></c>', False, True, id="an empty result in short"),
        pytest.param('<x:c r="B2"><x:f t="shared" si="0"/></x:c>', False, True, id="with prefixes, shared"),
        pytest.param(
            '<c r="B2"><f>A2</f><v>0</v></c>', True, True, id="a nought that waits to be calculated"
        ),
        pytest.param('<c r="B2"><f>A2</f><v>0</v></c>', False, False, id="a nought that was calculated"),
        pytest.param(
            '<c r="B2"><f>A2</f><v>05</v></c>', True, False, id="a number given by whoever wrote it"
        ),
        pytest.param(
            '<c r="B2" t="str"><f>A2</f><v></v></c>', False, False, id="a text calculated to be empty"
        ),
        pytest.param('<c r="B2" s="1"/>', True, False, id="an empty cell"),
    ],
)
def test_another_column_that_nobody_calculated_is_told_of(tmp_path, cell, stale, told):
    """It is read as empty, as there is nothing to read; the run says so."""
    path = formulas(tmp_path / "in.xlsx", "day", cell=cell, stale=stale)
    warnings = open_table(path, "share").warnings

    assert bool(warnings) == told
    assert all("1 cells of 'day' hold a formula that was never calculated (B2)" in each for each in warnings)
