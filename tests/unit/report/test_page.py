"""The report: one file, all documents, nothing that could run."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from cupel.errors import OutputPathError
from cupel.report import page
from cupel.report.flow import flow_picture
from cupel.report.page import write_report
from cupel.report.summary import DocumentEntry, Planned, Totals
from tests.unit.report.factory import TEXT, attempt, evidence, outcome, refined, run, unusable

EVIL = '</script><script>document.title="taken"</script><!-- <img src=x onerror="document.title=1"> \u2028 \ud800 \x07 </textarea>'


class Page(HTMLParser):
    """The elements of a page, as a browser's parser would see them."""

    def __init__(self, markup):
        super().__init__()
        self.tags, self.attributes, self.scripts, self._script = [], [], [], None
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag in {"script", "style"}:
            self._script = (tag, dict(attrs))

    def handle_data(self, data):
        if self._script is not None:
            self.scripts.append((*self._script, data))
            self._script = None

    @property
    def data(self):
        """What the inert blocks hold, by their id."""
        return {given["id"]: json.loads(text) for tag, given, text in self.scripts if given.get("type")}

    @property
    def documents(self):
        """Every document of the page."""
        data = self.data
        blocks = [(data[f"s{n}"], data[f"d{n}"]) for n in range((len(data) - 1) // 2)]
        return [{**searched, **rest} for both in blocks for searched, rest in zip(*both, strict=True)]


def written(tmp_path, entries, **changes):
    """Write a report and read it as a page."""
    path = write_report(tmp_path / "reports" / "run.html", run(**changes), entries)
    return Page(path.read_text(encoding="utf-8"))


THREE = [
    DocumentEntry(outcome(), TEXT, {"topic": "tax"}),
    DocumentEntry(refined(), TEXT),
    DocumentEntry(unusable(), ""),
]


def test_every_document_is_there_with_its_text_and_whole_trail(tmp_path):
    """Nothing of an outcome is lost but what is said elsewhere in it."""
    found = written(tmp_path, THREE)

    assert [document["doc_id"] for document in found.documents] == ["speech-1", "speech-2", "speech-3"]
    assert [document["text"] for document in found.documents] == [TEXT, TEXT, ""]
    assert found.documents[0]["inputs"] == {"topic": "tax"}
    assert found.documents[1]["verdicts"] == THREE[1].outcome["verdicts"]
    assert found.documents[1]["addenda"] == THREE[1].outcome["addenda"]
    first, second = found.documents[1]["attempts"]
    assert first["record"] == attempt()["record"]
    assert (second["same"], "record" in second) == (True, False)
    assert found.data["index"]["rows"][1][:9] == [
        "speech-2",
        "accepted",
        "cheap",
        None,
        1.0,
        0.001,
        0.5,
        2,
        "rj",
    ]


def test_the_page_asks_the_network_for_nothing(tmp_path):
    """It has no element that loads, no address in style or script, and a policy that forbids it."""
    found = written(tmp_path, THREE)
    policy = next(value for tag, name, value in found.attributes if tag == "meta" and "default-src" in value)

    assert not {"img", "link", "iframe", "object", "embed", "base", "form", "video", "audio"} & set(
        found.tags
    )
    assert not [
        value
        for _, name, value in found.attributes
        if name in {"src", "href", "style"} or name.startswith("on")
    ]
    assert not re.search(
        r"https?:|url\((?!#)|@import|fetch\(|XMLHttp|import\(",
        "".join(text for _, given, text in found.scripts if not given.get("type")),
    )
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_the_policy_names_exactly_the_pages_own_script_and_style(tmp_path):
    """Script and style are allowed by their hashes: any other one is refused by the browser."""
    found = written(tmp_path, THREE)
    policy = next(value for tag, name, value in found.attributes if tag == "meta" and "default-src" in value)
    own = [text for tag, given, text in found.scripts if not given.get("type")]

    assert len(own) == 2
    for text in own:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy


def test_nothing_in_a_document_or_reply_becomes_markup(tmp_path):
    """No text becomes markup in the summary or in the documents' data, and it arrives unchanged."""
    plain = written(tmp_path, THREE)
    hostile = outcome(
        doc_id=EVIL,
        record={EVIL: EVIL},
        reasons=[EVIL],
        model=EVIL,
        language=EVIL,
        path=["prepare", EVIL, "finish"],
    )
    found = written(
        tmp_path, [DocumentEntry(hostile, EVIL, {EVIL: EVIL}), *THREE[1:]], output=EVIL, notes=[EVIL]
    )

    assert set(found.tags) <= {*plain.tags, "p"}
    assert found.tags.count("script") == plain.tags.count("script")
    assert found.documents[0]["text"] == EVIL
    assert found.documents[0]["record"] == {EVIL: EVIL}


def test_the_same_run_gives_the_same_bytes(tmp_path):
    """This holds whatever the order of sets, and with steps of a graph of one's own."""
    own = DocumentEntry(outcome(path=["prepare", "ocr", "spell", "ocr", "finish"]), TEXT)
    first = write_report(tmp_path / "one.html", run(), [own, *THREE]).read_bytes()

    assert write_report(tmp_path / "two.html", run(), iter([own, *THREE])).read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "two.html"]


def test_numbers_json_does_not_have_are_left_out(tmp_path):
    """NaN would make the whole block unreadable."""
    odd = outcome(
        score=float("nan"), record={"share": float("inf")}, attempts=[attempt(signals={"odd": float("nan")})]
    )
    found = written(tmp_path, [DocumentEntry(odd, TEXT)], statuses={"accepted": 1})

    assert found.documents[0]["record"] == {"share": None}
    assert found.documents[0]["attempts"][0]["signals"] == {"odd": None}


def test_of_too_many_documents_those_that_need_a_look_are_shown(tmp_path, monkeypatch):
    """The summary counts all, and the page says how many are left out."""
    monkeypatch.setattr(page, "MAX_DOCUMENTS", 60)
    entries = [DocumentEntry(outcome(doc_id=f"a{number}"), "t") for number in range(100)]
    entries += [DocumentEntry(unusable(doc_id=f"f{number}"), "") for number in range(25)]
    path = write_report(tmp_path / "x.html", run(statuses={"accepted": 100, "failed": 25}), entries)
    found = Page(path.read_text())

    names = [document["doc_id"] for document in found.documents]
    assert names == [f"a{number}" for number in range(35)] + [f"f{number}" for number in range(25)]
    assert "60 of 125 documents are in this page" in path.read_text()
    assert found.data["index"]["rows"][-1][10] == 125


def test_a_very_long_text_is_cut_and_says_so(tmp_path, monkeypatch):
    """Its whole length stays known."""
    monkeypatch.setattr("cupel.report.compact.MAX_TEXT_CHARS", 10)
    found = written(tmp_path, [DocumentEntry(outcome(), TEXT)])

    assert (found.documents[0]["text"], found.documents[0]["length"]) == (TEXT[:10], len(TEXT))


def test_the_summary_shows_totals_tiers_and_plan(tmp_path):
    """Costs with their unknown parts, quantiles, planned against actual."""
    path = tmp_path / "x.html"
    write_report(path, run(planned=Planned(cost_usd=0.0142, wall_s=2.1, calls=10)), THREE)
    text = re.sub(r"<[^>]+>", " ", path.read_text())
    words = " ".join(text.split())

    assert "cheap groq:cheap 3 3,000 25 % 300 $0.0030 500 ms 500 ms 500 ms" in words
    assert "refiner groq:refiner 1 1,000 25 % 100 unknown" in words
    assert "cost $0.0142 $0.0070 + 1 of unknown price –" in words
    assert "$0.0071 paid by the run" in words
    assert "67 % accepted 2 documents" in words
    assert "10 March 2025, 14:03 UTC" in words
    assert "Score raw; not a probability" in words
    assert "calibrated confidence" not in words


def test_the_flow_picture_has_every_node_and_step_with_its_count():
    """Nodes of a graph of one's own are drawn too, and unwalked ones are faint."""
    totals = Totals()
    for found in [outcome(), refined(), outcome(path=["prepare", "ocr", "ocr", "finish"])]:
        totals.add(found)
    picture = flow_picture(totals)

    for (start, end), number in totals.edges.items():
        assert f"<title>{start} → {end}: {number}</title>" in picture
    assert "<title>ocr: 1 documents</title>" in picture
    assert picture.count('class="node unwalked"') == 2
    assert picture.count('class="edge"') == len(totals.edges)


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    """A place that cannot be written ends as one of our errors."""
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputPathError, match="the report could not be written"):
        write_report(tmp_path / "file" / "run.html", run(), THREE)


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.door
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH to open the page")
def test_a_browser_marks_the_quote_and_runs_nothing_of_the_document(tmp_path):
    """Offsets count characters, also after an emoji, which JavaScript counts as two."""
    text = f"😀👍🏽 {EVIL.replace(chr(0xD800), '')} We must act now. 😀 The end."
    hostile = outcome(
        evidence=[evidence("We must act now.", text), evidence("must act", text, path="/x", match="elided")],
        record={"claims": [{"quote": "We must act now."}], "<b>x</b>": "<img src=x>"},
    )
    own = {"group": "<b>S&D</b>", "day": "2025-03-10"}
    entry = DocumentEntry(hostile, text, own=own)
    path = write_report(tmp_path / "run.html", run(statuses={"accepted": 1}), [entry])
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update --disable-sync --dump-dom"
    done = subprocess.run(
        [CHROMIUM, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", f"file://{path}#row-1"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    body = done.stdout.split("<body", 1)[1]

    assert "<title>Cupel: arguments, 1 documents</title>" in done.stdout
    assert re.findall(r"<mark[^>]*>([^<]*)</mark>", body) == ["We ", "must act", " now."]
    assert re.findall(r'<mark class="([^"]*)"', body) == [
        "match-verbatim",
        "match-elided several",
        "match-verbatim",
    ]
    assert "<img" not in body
    assert "<b>x</b>" not in body
    # the row's own columns stand in the table, which was there before the document
    assert "&lt;b&gt;S&amp;D&lt;/b&gt;" in body
    assert re.findall(r'data-order="column-\d+">([^<]*)<', body)[-2:] == ["group", "day"]
    assert re.findall(r"<tr tabindex", body) == ["<tr tabindex"]
