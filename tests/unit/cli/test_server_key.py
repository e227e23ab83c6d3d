"""Where the key of a server comes from on the command line, and where it may not stand."""

from __future__ import annotations

import io
import sys

import pytest

from cupel.cli.server_key import note_unsent, read_server_key
from cupel.errors import SettingError

HERE = "http://127.0.0.1:2024"


def test_a_key_comes_from_a_file_a_line_of_input_or_the_variable(tmp_path, monkeypatch):
    """What was given goes before the variable; without either there is none."""
    (tmp_path / "key").write_text("cupel_file4711abc\n")
    env = {"CUPEL_SERVER_KEY": "cupel_var4711abc"}
    monkeypatch.setattr(sys, "stdin", io.StringIO("cupel_line4711abc\nmore\n"))

    assert read_server_key(str(tmp_path / "key"), HERE, env) == "cupel_file4711abc"
    assert read_server_key("-", HERE, env) == "cupel_line4711abc"
    assert read_server_key(None, HERE, env) == "cupel_var4711abc"
    assert read_server_key(None, HERE, {}) == ""


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param("cupel_typed4711abc", "not the key", id="the key itself"),
        pytest.param("nowhere", "cannot be read", id="no file"),
        pytest.param("empty", "is empty", id="an empty file"),
    ],
)
def test_what_is_no_file_with_a_key_is_refused_and_not_said_again(given, says, tmp_path, monkeypatch):
    """A key in the command line is in the shell's history already: the sentence says to make another."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SettingError, match=says) as told:
        read_server_key(given, HERE, {})
    assert "typed4711" not in str(told.value)


def test_a_key_in_the_clear_is_worth_a_word_where_others_may_read_it(capsys):
    """Not on this machine or a private network, nor with TLS."""
    env = {"CUPEL_SERVER_KEY": "cupel_var4711abc"}
    for url in (HERE, "http://server.internal:8000", "https://cupel.example.org"):
        read_server_key(None, url, env)
    assert capsys.readouterr().err == ""
    read_server_key(None, "http://cupel.example.org", env)
    said = capsys.readouterr().err
    assert "https://" in said
    assert "4711" not in said


def test_settings_of_this_machine_are_named_as_not_sent(capsys):
    """A server has its own."""
    note_unsent({"CUPEL_JUDGE": "never", "CUPEL_CHEAP_MODEL": " ", "HOME": "/x"})
    assert "CUPEL_JUDGE: not sent" in capsys.readouterr().err
