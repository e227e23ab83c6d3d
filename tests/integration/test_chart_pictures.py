"""The pictures of docs/charts.md are those its command draws today."""

import html
import re

import pytest

from tests.conftest import ROOT, load_script

HERE = ROOT / "docs" / "charts"


def said(picture):
    """Every word of an SVG, in order; where they stand depends on the machine's fonts, and so does where one is cut."""
    texts = re.findall(r">([^<>]+)</text>", picture.read_text(encoding="utf-8"))
    return [html.unescape(text).rstrip("… ")[:12] for text in texts]


def test_the_command_of_the_charts_page_draws_the_pictures_that_are_there(tmp_path):
    """The same files, with the same words, bars and marks in each."""
    pytest.importorskip("vl_convert")
    drawn = load_script(HERE / "draw.py").draw(tmp_path / "charts")

    assert {path.name for path in drawn} == {path.name for path in HERE.glob("*.svg")}
    for path in drawn:
        kept = HERE / path.name
        assert said(path) == said(kept), path.name
        assert path.read_text().count("<path") == kept.read_text().count("<path"), path.name
