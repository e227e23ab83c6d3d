"""What commands print with: JSON that stays JSON, tables that are not cut."""

from __future__ import annotations

import io
import json
import sys

import pytest

from cupel.cli._console import PIPED_WIDTH, open_console, print_json


class Stream(io.TextIOWrapper):
    """A stdout of a given encoding."""

    def __init__(self, encoding):
        super().__init__(io.BytesIO(), encoding=encoding)

    def written(self):
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_json_is_readable_whatever_the_encoding(monkeypatch, encoding):
    """A Greek quote, a lone surrogate and NaN come out as JSON on any terminal."""
    stream = Stream(encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    print_json({"quote": "δοκιμή \ud800", "score": float("nan")})

    read = json.loads(stream.written())
    assert read["quote"].startswith("δοκιμή")
    assert read["score"] is None


def test_a_terminal_without_unicode_shows_question_marks_and_no_traceback(monkeypatch):
    """What cannot be shown is replaced."""
    stream = Stream("ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    open_console().print("accepted ✓")

    assert stream.written() == "accepted ?\n"


def test_piped_output_is_wide(monkeypatch):
    """No terminal's width limits what goes to a file."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "stdout", Stream("utf-8"))

    assert open_console().width == PIPED_WIDTH
