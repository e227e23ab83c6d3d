"""Nothing tried on a prompt is lost, written twice, or promoted by accident; clones that meet know what both know."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from cupel.errors import RunBusyError, RunLogError, UsageError
from cupel.improvement.ledger import Ledger, ledger_of
from cupel.improvement.seen import note_seen
from cupel.runlog.database import OpenDatabase
from tests.conftest import ROOT

AT = "2026-11-20T12:00:00+00:00"


@pytest.fixture
def project(tmp_path):
    """A project's folder with the tasks `t` and `u`."""
    for task in "tu":
        (tmp_path / "prompts" / task).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def ledger(project):
    return ledger_of(project / ".cupel")


def clone(project, name):
    """Another clone: what git has, and no run log."""
    folder = project.parent / f"{project.name}-{name}"
    shutil.copytree(project / "prompts", folder / "prompts")
    return ledger_of(folder / ".cupel")


def union(*ledgers):
    """What git's union merge makes of the clones' files: every line of both."""
    lines = [line for one in ledgers for line in one.path("t").read_text().splitlines()]
    for one in ledgers:
        one.path("t").write_text("".join(f"{line}\n" for line in dict.fromkeys(lines)))


def look(ledger, version, docs, **more):
    return ledger.spend_look(task="t", key=f"c:{version}", version=version, against="v0", docs=docs, **more)


def decide(ledger, version, decision="promote", p=0.001, **more):
    data = {
        "version": version,
        "decision": decision,
        "against": "v0",
        "look_key": f"c:{version}",
        "p": p,
        **more,
    }
    ledger.append("version", task="t", key=version, at=AT, data={"version": version, "parent": "v0"})
    return ledger.append("decision", task="t", key=f"{version}:v0", at=AT, data=data)


def holding(ledger):
    """Versions whose decision to promote stands among all that the ledger knows."""
    book = ledger.book("t")
    return [e.data["version"] for e in book.kind("decision") if not book.doubts(e)]


def test_entries_come_back_as_they_were_written(ledger):
    """Entries come oldest first, by task and kind, whatever is in them."""
    data = {"text": "ä – “ü” \x00 \ud800", "n": [1, 0.25, None]}
    ledger.append("note", task="t", key="1", at=AT, data=data)
    ledger.append("note", task="u", key="1", at=AT, data={})

    assert [entry.task for entry in ledger.entries()] == ["t", "u"]
    assert ledger.entries(task="t", kind="note")[0].data == data
    assert ledger.entries(kind="look") == []


def test_a_ledger_that_does_not_exist_is_empty(project, ledger):
    """Looking at it makes no file."""
    assert ledger.entries() == []
    assert ledger.active("t") is None
    assert ledger.looks("t") == 0
    assert [path for path in project.rglob("*") if path.is_file()] == []


def test_an_entry_is_written_once(ledger):
    """The second one with its key gives the first one back, byte for byte the same file."""
    first = ledger.append("decision", task="t", key="k", at=AT, data={"p": 1})
    before = ledger.path("t").read_bytes()
    second = ledger.append("decision", task="t", key="k", at="2027-01-01T00:00:00Z", data={"p": 2})

    assert second == first
    assert ledger.path("t").read_bytes() == before


def test_a_folder_without_the_task_has_its_ledger_in_the_run_log(tmp_path):
    """Such as one that was renamed, or a run outside any project."""
    ledger = ledger_of(tmp_path / ".cupel")
    ledger.append("decision", task="gone", key="k", at=AT, data={"p": 1})

    assert ledger.path("gone") is None
    assert [entry.key for entry in ledger.entries()] == ["k"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(
            lambda line: line.replace('"p":0.5', '"p":0.01'), "changed after it was written", id="edited"
        ),
        pytest.param(lambda line: line[:20], "not an entry of a ledger", id="cut"),
        pytest.param(lambda _: "[]", "not an entry of a ledger", id="no object"),
        pytest.param(lambda _: "hello", "not an entry of a ledger", id="no JSON"),
        pytest.param(lambda line: line.replace('"decision"', '"dance"', 1), "not an entry", id="no kind"),
    ],
)
def test_a_line_changed_by_hand_is_named(ledger, line, said):
    """With its number, and where to take it from again; nothing is decided on it."""
    for key in "123":
        ledger.append("decision", task="t", key=key, at=f"{AT}{key}", data={"p": 0.5})
    lines = ledger.path("t").read_text().splitlines()
    ledger.path("t").write_text("\n".join([lines[0], line(lines[1]), lines[2], ""]))

    with pytest.raises(RunLogError, match=rf"ledger\.jsonl:2: .*{said}.*restore the line from git"):
        ledger.entries()


def test_looks_are_counted_over_a_task_s_life_and_a_candidate_looks_once(ledger):
    """Whatever documents they are at, each new look may spend less; looking again spends nothing."""
    looks = [look(ledger, version, [version]) for version in ("a", "b", "a")]

    assert [one.number for one in looks] == [1, 2, 1]
    assert looks[1].alpha == pytest.approx(looks[0].alpha / 4)
    assert ledger.looks("t") == 2
    assert ledger.spend_look(task="u", key="c:b", version="b", against="v0", docs=["x"]).number == 1


def test_what_was_looked_at_or_shown_is_seen(ledger):
    """And by whom; only before a given time, and without the looks a nominee's edit follows."""
    look(ledger, "a", ["d1", "d2"])
    note_seen(OpenDatabase(ledger.place, wait_s=1), "t", ["d3"], how="rerun")
    book = ledger.book("t")

    assert book.seen() == {"d1": "gate, look 1", "d2": "gate, look 1", "d3": "rerun"}
    assert book.seen(without=["c:a"]) == {"d3": "rerun"}
    assert book.seen(before=book.kind("look")[0].at) == {}


def test_a_promotion_can_be_rolled_back_to_what_was_before(ledger):
    """A rollback may also lead to the version it all started from."""
    for version in ("v1", "v2"):
        decide(ledger, version)
        ledger.promote(version, task="t", approver="someone", at=AT)

    assert ledger.active("t") == "v2"
    assert ledger.history("t") == ["v0", "v1", "v2"]
    assert ledger.lineage("t", "v2") == ["v2", "v0"]

    ledger.rollback("v0", task="t", approver="someone", at=AT)

    assert ledger.active("t") == "v0"
    with pytest.raises(UsageError, match=r"never at version v9; it was at v0, v1, v2"):
        ledger.rollback("v9", task="t", approver="someone", at=AT)


def test_promoting_again_after_a_kill_changes_nothing(ledger):
    """The same move is one entry."""
    decide(ledger, "v1")
    first = ledger.promote("v1", task="t", approver="someone", at=AT)
    before = ledger.path("t").read_bytes()

    assert ledger.promote("v1", task="t", approver="someone", at="2027-01-01T00:00:00Z") == first
    assert ledger.path("t").read_bytes() == before


def test_two_environments_have_pointers_of_their_own(ledger):
    """A promotion here is none there."""
    decide(ledger, "v1")
    ledger.promote("v1", task="t", approver="someone", at=AT, environment="staging")

    assert (ledger.active("t", "staging"), ledger.active("t")) == ("v1", None)


def test_a_clone_knows_the_looks_that_were_spent_and_what_was_seen(project, ledger):
    """Its run log is empty, and its next look is the second one."""
    look(ledger, "a", ["d1"])
    note_seen(OpenDatabase(ledger.place, wait_s=1), "t", ["d2"], how="show")
    decide(ledger, "a")
    other = clone(project, "b")

    assert other.looks("t") == 1
    assert other.book("t").seen() == {"d1": "gate, look 1", "d2": "show"}
    assert holding(other) == ["a"]
    assert look(other, "b", ["d3"]).number == 2


@pytest.mark.parametrize("marks", [False, True], ids=["united", "with git's marks"])
def test_two_branches_merged_have_the_looks_of_both(project, ledger, marks):
    """In one order, the same in both clones; each spent a first look, and one of them is the second now."""
    look(ledger, "a", ["d1"])
    decide(ledger, "a", p=0.02)
    other = clone(project, "b")
    other.path("t").unlink()
    look(other, "b", ["d2"])
    decide(other, "b", p=0.02)
    assert holding(ledger) == ["a"]
    assert holding(other) == ["b"]
    union(ledger, other)
    if marks:
        for one in (ledger, other):
            first, *rest = one.path("t").read_text().splitlines()
            parts = ["<<<<<<< HEAD", first, "=======", *rest, ">>>>>>> b", ""]
            one.path("t").write_text("\n".join(parts))

    assert ledger.book("t").entries == other.book("t").entries
    assert ledger.looks("t") == 2
    assert holding(ledger) == holding(other) == ["a"]
    assert (
        "as look 2 of all clones it may spend 0.0076"
        in ledger.book("t").doubts(ledger.entries(task="t", kind="decision")[1])[0]
    )

    ledger.append("note", task="t", key="n", at=AT, data={})
    other.append("note", task="t", key="n", at=AT, data={})
    assert ledger.path("t").read_bytes() == other.path("t").read_bytes()


def git(folder, *words):
    """What git does, without anybody's settings."""
    env = {
        **os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
    }  # fmt: skip
    done = subprocess.run(["git", *words], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("seed", range(3))
def test_git_itself_unites_the_ledgers_of_two_clones_that_each_had_looks(project, seed):
    """No conflict; looks are numbered by their time, and what still holds spends no more than all clones together may."""
    drawing = random.Random(f"clones {seed}")
    shutil.copy(ROOT / "prompts" / ".gitattributes", project / "prompts")
    (project / "prompts" / "t" / "task.toml").write_text("")
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-qm", "begin")):
        git(project, *words)
    clones = [project.parent / f"{project.name}-{name}" for name in "ab"]
    for folder in clones:
        git(project, "clone", "-q", ".", str(folder))
    ledgers = [ledger_of(folder / ".cupel") for folder in clones]
    order = []
    for number in range(8):
        at = drawing.randrange(2)
        version = f"v{number}"
        order.append(look(ledgers[at], version, {f"d{drawing.randrange(40)}" for _ in range(3)}).key)
        decide(ledgers[at], version, p=drawing.choice([0.0001, 0.005, 0.03]))
    for folder in clones:
        git(folder, "add", "prompts")
        git(folder, "commit", "-qm", "looks", "--allow-empty")
    git(clones[0], "pull", "-q", "--no-rebase", "--no-edit", str(clones[1]), "main")
    git(clones[1], "pull", "-q", "--no-rebase", "--no-edit", str(clones[0]), "main")
    here, there = (each.book("t") for each in ledgers)
    looks = {each.key: each for each in here.looks}
    held = [looks[e.data["look_key"]] for e in here.kind("decision") if not here.doubts(e)]

    assert b"<<<<<<<" not in ledgers[0].path("t").read_bytes()
    assert here.entries == there.entries
    assert [each.key for each in here.looks] == order
    assert holding(ledgers[0]) == holding(ledgers[1])
    assert sum(each.alpha for each in here.looks) < 0.05
    seen = set()
    for each in here.looks:
        assert each not in held or not seen & set(each.docs)
        seen |= set(each.docs)
    p = {e.data["look_key"]: e.data["p"] for e in here.kind("decision")}
    assert all(p[each.key] <= each.alpha for each in held)


def test_of_two_clones_looks_at_the_same_documents_the_earlier_one_counts(project, ledger):
    """Who decided later may have known what the other had seen."""
    other = clone(project, "b")
    look(ledger, "a", ["d1", "d2"])
    look(other, "b", ["d2", "d3"])
    decide(ledger, "a")
    decide(other, "b")
    union(ledger, other)

    assert holding(ledger) == holding(other) == ["a"]


def test_a_decision_on_documents_shown_in_another_clone_before_holds_no_more(project, ledger):
    """It holds until the clones meet."""
    other = clone(project, "b")
    other.append("decision", task="t", key="x", at=AT, data={"version": "x", "decision": "reject", "p": 1.0})
    note_seen(OpenDatabase(other.place, wait_s=1), "t", ["d1"], how="rerun")
    other.append("note", task="t", key="n", at=AT, data={})
    look(ledger, "a", ["d1", "d2"])
    decide(ledger, "a")
    assert holding(ledger) == ["a"]
    union(ledger, other)

    assert holding(ledger) == []
    said = ledger.book("t").doubts(ledger.entries(task="t", kind="decision")[0])
    assert any("1 of its 2 documents had been seen before (rerun)" in doubt for doubt in said)


def test_two_clones_that_promoted_both_keep_their_moves(project, ledger):
    """The later one is the active one."""
    decide(ledger, "v1")
    decide(ledger, "v2")
    other = clone(project, "b")
    ledger.promote("v1", task="t", approver="someone")
    other.promote("v2", task="t", approver="another")
    union(ledger, other)

    assert ledger.history("t") == other.history("t") == ["v0", "v1", "v2"]
    assert ledger.active("t") == "v2"


def test_what_is_committed_is_hashes_and_figures_alone(ledger):
    """Diffs, ids, reasons and settings stay in the run log."""
    decide(
        ledger, "v1", diff="+ a rule", better=["doc-1"], made_of={"documents": "secret.jsonl"}, reasons=["x"]
    )
    ledger.append("split", task="t", key="c", at=AT, data={"dev": ["doc-2"]})
    written = ledger.path("t").read_text()

    assert [json.loads(line)["kind"] for line in written.splitlines()] == ["version", "decision"]
    for word in ("rule", "doc-1", "doc-2", "secret", "reasons"):
        assert word not in written


def test_the_ledger_of_before_is_taken_over(project):
    """A file of its own once; its looks count, what it looked at is seen, and a torn last line is passed over."""
    rows = [
        {"kind": "split", "key": "h1", "data": {"dev": ["s1"], "held_out": ["s2", "s3"], "version": "h1"}},
        {"kind": "split", "key": "h2", "data": {"dev": ["s1"], "held_out": ["s4"], "version": "h2"}},
        {"kind": "look", "key": "h1:v1", "data": {"held_out": "h1", "version": "v1", "look": 1, "alpha": 0.03}},
        {"kind": "version", "key": "v1", "data": {"version": "v1", "parent": "v0", "rules": [], "extract": "x"}},
        {"kind": "decision", "key": "v1:v0:h1", "data": {"version": "v1", "decision": "promote", "against": "v0", "p": 0.01}},
        {"kind": "promotion", "key": "local:1", "data": {"version": "v1", "from": "v0", "environment": "local", "approver": "a"}},
    ]  # fmt: skip
    earlier = project / ".cupel" / "refinement" / "ledger.jsonl"
    earlier.parent.mkdir(parents=True)
    lines = [json.dumps({**row, "task": "t", "at": f"{AT}{n}"}) for n, row in enumerate(rows)]
    earlier.write_text("\n".join([*lines, '{"kind": "torn']))
    ledger = ledger_of(project / ".cupel")

    for _ in range(2):
        book = ledger.book("t")
        assert ledger.active("t") == "v1"
        assert book.seen_ids == {"s1", "s2", "s3"}
        assert book.doubts(book.kind("decision")[0]) == [
            "it was made before the ledger knew what it rests on"
        ]
        assert [entry.kind for entry in book.entries] == [row["kind"] for row in rows]
        ledger.append("note", task="t", key="n", at=f"{AT}0", data={})
        earlier.unlink(missing_ok=True)
        rows = [rows[0], {"kind": "note"}, *rows[1:]]

    assert look(clone(project, "b"), "b", ["d"]).number == 2


@pytest.mark.parametrize("earlier", [False, True], ids=["in the run log", "in the file of before"])
def test_what_quotes_a_forgotten_text_is_emptied(project, earlier):
    """A prompt's own words stay, and so do figures and hashes."""
    text = "The farmers of the valley were promised a road that nobody ever built for them."
    data = {"reason": f"It quotes: {text}", "p": 0.5, "rules": [{"id": "a", "text": text, "why": text}]}
    ledger = ledger_of(project / ".cupel")
    if earlier:
        file = project / ".cupel" / "refinement" / "ledger.jsonl"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"kind": "note", "task": "t", "key": "k", "at": AT, "data": data}) + "\n")
    else:
        ledger.append("note", task="t", key="k", at=AT, data=data)

    assert ledger.forget([text]) == 1
    assert ledger.forget([text]) == 0
    (entry,) = ledger.entries()
    assert entry.data["p"] == 0.5
    assert text not in entry.data["reason"]
    assert entry.data["rules"][0]["text"] == text
    assert entry.data["rules"][0]["why"] != text


def test_machines_on_one_database_see_one_ledger(project, tmp_path_factory):
    """Each has a folder of its own; the run log is the same."""
    place = f"sqlite:///{project / 'shared.sqlite'}"
    folders = [project, tmp_path_factory.mktemp("machine")]
    (folders[1] / "prompts" / "t").mkdir(parents=True)
    one, other = (Ledger(place, prompts=folder / "prompts") for folder in folders)
    look(one, "a", ["d1"])
    decide(one, "a")
    one.promote("a", task="t", approver="someone")

    assert other.active("t") == "a"
    assert look(other, "b", ["d2"]).number == 2
    assert one.looks("t") == 2
    assert len(other.path("t").read_text().splitlines()) == 5


def test_a_folder_that_cannot_be_written_is_told_and_the_run_log_has_it(ledger, monkeypatch, caplog):
    """As in an image; clones of the folder do not know."""

    def refuse(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("cupel.improvement.ledger.write_whole", refuse)
    look(ledger, "a", ["d1"])

    assert ledger.looks("t") == 1
    assert "cannot be written (Permission denied)" in caplog.text


def test_a_task_is_improved_by_one_at_a_time(ledger):
    """The second is refused and told who holds it; another task is free."""
    with ledger.session("t"):
        with (
            pytest.raises(
                RunBusyError, match=rf"work on task 't' is going on already: process {os.getpid()} on"
            ),
            ledger.session("t"),
        ):
            pass
        with ledger.session("u"):
            pass
    with ledger.session("t"):
        pass


def test_who_is_willing_to_wait_is_served_next(ledger):
    """Two processes that wait are serialised."""
    entered, order = threading.Event(), []

    def second():
        entered.wait()
        with ledger.session("t", wait_s=10):
            order.append("second")

    waiting = threading.Thread(target=second)
    waiting.start()
    with ledger.session("t"):
        entered.set()
        waiting.join(0.2)
        order.append("first")
    waiting.join()

    assert order == ["first", "second"]


WRITER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from cupel.improvement.ledger import ledger_of

    ledger, name = ledger_of(Path(sys.argv[1])), sys.argv[2]
    for number in range(int(sys.argv[3])):
        at = f"2026-11-20T12:00:{number:06}Z"
        ledger.append("decision", task="t", key=f"{name}-{number}", at=at, data={"p": 0.5, "version": "x" * 500})
        print(number, flush=True)
""")


def writer(project, name, count=1_000_000):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(project / ".cupel"), name, str(count)], stdout=subprocess.PIPE
    )


def test_processes_that_write_at_once_lose_nothing(project, ledger):
    """Of two writers every entry is there once, in the run log and in the file."""
    writers = [writer(project, name, 12) for name in "ab"]
    for process in writers:
        process.communicate(timeout=60)
    every = sorted(f"{name}-{n}" for name in "ab" for n in range(12))
    ledger.append("note", task="t", key="last", at=AT, data={})

    assert sorted(entry.key for entry in ledger.entries(kind="decision")) == every
    assert sorted(json.loads(line)["key"] for line in ledger.path("t").read_text().splitlines()) == every


def test_a_killed_writer_loses_nothing_it_acknowledged(project, ledger):
    """After kill -9 in full flight the next writer goes on where it stopped and gives the same ledger."""
    acknowledged = -1
    for _ in range(3):
        process = writer(project, "a")
        for _ in range(5):
            acknowledged = max(acknowledged, int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        keys = [entry.key for entry in ledger.entries()]

        assert keys == [f"a-{n}" for n in range(len(keys))]
        assert len(keys) > acknowledged

    ledger.append("decision", task="t", key="last", at=AT, data={})
    assert len(ledger.path("t").read_text().splitlines()) == len(ledger.entries())
