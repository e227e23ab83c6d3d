"""What reaches the terminal: no text from elsewhere acts there, by whatever way it comes."""

from __future__ import annotations

import io
import json
import re
import sys

import pytest
from hypothesis import given, strategies as st
from rich.table import Table
from rich.text import Text

from cupel.cli import main
from cupel.cli._console import open_console, print_json
from cupel.cli._last_resort import say
from cupel.cli._streams import ShowingStream, console_on, show_only

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
ACTING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")
HOSTILE = "\x1b]0;title\x07\x1b[2J\x1b[8mhidden\x9b31m\rover\b\x7f[/b][red]{x}"

hostile = st.text(st.characters(codec="utf-8"), max_size=40).map(lambda said: f"{HOSTILE}{said}\x1b[1;31m")


def bytes_acting(written):
    """Control characters that are neither the end of a line nor a colour of ours."""
    return ACTING.findall(COLOURS.sub("", written))


@given(hostile)
def test_on_a_coloured_console_foreign_text_is_shown_in_every_kind_of_thing(said):
    """Plain, in a table, in a title, as text with a style: only our own colours are sequences."""
    written = io.StringIO()
    console = console_on(written, force_terminal=True, width=200, markup=False, highlight=False)
    shown = Table(title=said)
    shown.add_column(said)
    shown.add_row(said)
    for thing in (said, Text(said, style="red"), shown):
        console.print(thing)

    assert bytes_acting(written.getvalue()) == []
    assert "\x1b[31m" in written.getvalue()
    assert "[2J" in written.getvalue()


@given(hostile)
def test_nothing_acts_that_is_printed_warned_or_written(said):
    """Also where no colour of ours could be told from a foreign one."""
    raw = io.StringIO()
    stream = ShowingStream(raw)
    print(said, file=stream)
    stream.writelines([said, "\n"])

    assert ACTING.findall(raw.getvalue()) == []
    assert "\x1b" not in raw.getvalue()


def test_an_error_on_a_terminal_is_red_and_what_it_quotes_is_shown(monkeypatch):
    """Our own colour is sent, whatever escape a name in it holds is not."""
    raw = io.StringIO()
    monkeypatch.setattr(raw, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", ShowingStream(raw))
    say("Input: \x1b[2Ja\x07: no such file")

    assert raw.getvalue() == "\x1b[31mInput: ␛[2Ja␇: no such file\x1b[0m\n"


def test_whatever_writes_to_the_streams_of_a_command_is_filtered(capsys):
    """A library's own line goes the same way as everything else."""
    with show_only():
        sys.stderr.write(f"{HOSTILE}\n")
    written = capsys.readouterr().err

    assert ACTING.findall(written) == []
    assert "␛]0;title" in written


def test_json_holds_no_control_character_and_says_the_same(capsys):
    """Those that JSON may hold as they are get escaped."""
    print_json({"text": HOSTILE})
    written = capsys.readouterr().out

    assert ACTING.findall(written) == []
    assert json.loads(written) == {"text": HOSTILE}


def test_markup_in_a_name_is_a_name(capsys):
    """`x[/b].jsonl` once ended a paid run with a traceback."""
    open_console().print("output: x[/b].jsonl [red]")
    assert capsys.readouterr().out == "output: x[/b].jsonl [red]\n"


@pytest.mark.parametrize(
    "command", ["run", "plan", "show", "failures", "report", "compare", "eval", "forget"]
)
def test_what_a_command_says_of_hostile_arguments_is_shown(command, monkeypatch, capsys, tmp_path):
    """The whole command as it is typed; an error that names what it was given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cupel", command, f"{HOSTILE}.jsonl", "--nothing", HOSTILE])
    with pytest.raises(SystemExit):
        main()
    written = "".join(capsys.readouterr())

    assert bytes_acting(written) == []
