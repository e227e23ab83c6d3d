"""What the terminal shows of a run and of one document."""

import io

import pytest
from rich.console import Console

from cupel.report.text import document_trail, marked_text, safe, summary_table
from tests.unit.report.factory import TEXT, attempt, evidence, outcome, refined, run, unusable


def shown(renderable, width=120):
    """Print as a terminal of this width would, without colours."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    return console.file.getvalue()


def test_the_trail_tells_everything_in_order():
    """Attempts with doubts and signals, findings, instructions, calls with cost."""
    text = shown(document_trail(refined(), TEXT))
    order = [
        "speech-2  accepted",
        "attempt 1: cheap",
        "in doubt: /claims/0/quote: the quote is altered",
        "agreement –",
        "judge: rejected",
        "✗ premises_support It gives no ground. “Nobody asked us.” (verbatim)",
        "✓ stance_fits",
        "refine: round 1 on the cheap tier",
        "1. Give only reasons as premises.  (premises_support)",
        "dropped: a quote too long",
        "unknown",
        "from the run log",
        "attempt 2: cheap, refined in round 1",
        "judge: accepted",
    ]
    places = [text.index(words) for words in order]

    assert places == sorted(places)


def test_a_record_that_became_the_outcome_is_shown_once():
    """The last attempt's record is the outcome's own."""
    assert shown(document_trail(outcome(), TEXT)).count('"quote": "We must act now."') == 1


def test_a_document_that_never_reached_a_model_still_has_a_trail():
    """Its trail has the reason."""
    assert "no text: the cell is empty" in shown(document_trail(unusable(), ""))


def test_quotes_are_marked_where_they_stand():
    """Every part of an elided quote is marked, and nothing for an absent one."""
    elided = evidence("We must act now.", match="elided", parts=[[2, 9], [10, 18]])
    absent = evidence("asked", match="absent", start=None, end=None, parts=[])
    spans = [(span.start, span.end) for span in marked_text(TEXT, [elided, absent]).spans]

    assert spans == [(2, 9), (10, 18)]


def test_quotes_that_are_not_verbatim_say_what_differs():
    """A quote that is not verbatim is shown with the words that differ."""
    altered = evidence("Nobody asked us.", match="altered", diff="+not")

    assert "altered /claims/0/quote: Nobody asked us.  +not" in shown(
        document_trail(outcome(evidence=[altered]), TEXT)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b]0;taken\x07", "␛]0;taken␇"),
        ("\x9b31m", "�31m"),
        ("a\r\nb\tc", "a␍\nb\tc"),
        ("\u202eabc", "�abc"),
        ("\ud800", "�"),
        ("Žižek 😀", "Žižek 😀"),
    ],
)
def test_a_text_cannot_drive_the_terminal(text, expected):
    """Control characters are shown, one sign for one, so offsets stay."""
    assert safe(text) == expected
    assert len(safe(text)) == len(text)


def test_markup_of_the_terminal_library_in_a_document_is_only_text():
    """Square brackets are common in transcripts."""
    odd = outcome(doc_id="[red]x[/red]", reasons=["[bold]why[/bold]"], attempts=[attempt(error="[/x]")])
    text = shown(document_trail(odd, "[link=file:///]Applause[/link]"))

    assert "[link=file:///]Applause[/link]" in text
    assert text.count("[red]x[/red]") == 1
    assert "[/x]" in text


def test_the_summary_counts_statuses_calls_and_cost():
    """`cupel run` ends with this table."""
    text = shown(summary_table(run(notes=["a smoke-test baseline"])))

    assert "accepted" in text
    assert "67 %" in text
    assert "openai:judge      2  $0.0040" in text
    assert "paid by the run $0.0071 · 4.2 s · 1 answers from the run log" in text
    assert "a smoke-test baseline" in text
