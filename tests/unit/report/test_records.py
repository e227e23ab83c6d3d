"""What a report counts of its records: the columns of its table, its bars, and the documents each leads to."""

from cupel.report.records import MAX_COLUMNS, Records
from cupel.report.summary import DocumentEntry
from cupel.tables import tidy_of
from tests.unit.report.factory import TEXT, outcome

PLAIN = {"claims": [{"quote": "We must act now.", "kind": "policy"}], "stance": "support"}


def records(number=6, **changes):
    """So many documents, two groups and three days, every third without a record."""
    made = Records()
    for place in range(number):
        record = None if place % 3 == 2 else {**PLAIN, "stance": ("support", "oppose")[place % 2]}
        own = {
            "text": TEXT,
            "meta": {"group": ("A", "B")[place // 2 % 2]},
            "day": f"2025-03-1{place % 3}",
            **changes,
        }
        made.add(DocumentEntry(outcome(doc_id=f"d{place}", record=record), TEXT, own=own))
    return made


def titles(made):
    """The figures by title."""
    return {figure.title: figure for figure in made.figures()}


def test_the_rows_own_columns_stand_beside_those_of_the_records():
    """Objects are opened; text and id, which the table has anyway, are left out."""
    assert [(column["name"], column["source"]) for column in records().to_index()] == [
        ("meta.group", "own"),
        ("day", "own"),
        ("claims", "list"),
        ("stance", "record"),
    ]


def test_bars_count_labels_lists_groups_and_days():
    """The records' own figures come first, then those by group and over time."""
    found = titles(records())

    assert list(found) == ["stance", "Found in the texts", "stance by group", "stance over time (day)"]
    assert [(bar.label, bar.number) for bar in found["stance"].bars] == [("support", 2), ("oppose", 2)]
    assert [(bar.label, bar.number) for bar in found["Found in the texts"].bars] == [("claims", 4)]
    assert {bar.label: dict(bar.parts) for bar in found["stance by group"].bars} == {
        "A": {"support": 2, "oppose": 1},
        "B": {"support": 0, "oppose": 1},
    }
    assert [bar.label for bar in found["stance over time (day)"].bars] == ["2025-03-10", "2025-03-11"]


def test_a_bar_leads_to_the_documents_it_counts():
    """What its filter finds in the cells of the rows is as many documents as it says."""
    made, rows = Records(), []
    for place in range(9):
        record = {"tags": [("red", "blue", "green")[place % 3], "all"], "stance": ("yes", "no")[place % 2]}
        entry = DocumentEntry(
            outcome(doc_id=f"d{place}", record=record), TEXT, own={"group": "AAB"[place % 3]}
        )
        rows.append(made.add(entry))
    holds = {
        "is": lambda row, place, value: row[0][place] == value,
        "some": lambda row, place, _: row[0][place] > 0,
        "has": lambda row, number, _: number in row[1],
        "starts": lambda row, place, value: row[0][place].startswith(value),
    }
    bars = [bar for figure in made.figures() if figure.note != "items in all" for bar in figure.bars]

    assert {bar.shows.kind for bar in bars} == {"is", "has"}
    for bar in bars:
        assert (
            sum(holds[bar.shows.kind](row, bar.shows.column, bar.shows.value) for row in rows) == bar.number
        )


def test_values_that_are_all_different_are_no_labels():
    """A sentence for each document is a column, and no bar."""
    made = Records()
    for place in range(40):
        made.add(DocumentEntry(outcome(record={"matter": f"matter {place}"}), TEXT, own={"who": f"p{place}"}))

    assert made.figures() == []
    assert [column["choices"] for column in made.to_index()] == [None, None]


def test_a_record_of_any_number_of_fields_has_a_bounded_table():
    """What is beyond the bound is counted as left out, and stands on the document's page."""
    made = Records()
    made.add(DocumentEntry(outcome(record={f"f{n}": n for n in range(100)}), TEXT))

    assert len(made.columns) == MAX_COLUMNS
    assert made.left_out == 60


def test_references_are_those_the_schema_names():
    """A premise's `supports` leads to the claim whose id it is."""
    item = {"type": "object", "additionalProperties": False}
    schema = {
        "type": "object",
        "properties": {
            "claims": {
                "type": "array",
                "items": {**item, "properties": {"id": {"type": "integer", "x-id": True}}},
            },
            "premises": {
                "type": "array",
                "items": {
                    **item,
                    "properties": {"supports": {"type": "integer", "x-refers-to": "claims/id"}},
                },
            },
        },
    }

    assert Records(tidy_of(schema)).references == [(["premises", "supports"], ["claims", "id"])]
