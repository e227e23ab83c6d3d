"""Nothing tried on a prompt is lost, written twice, or promoted by accident."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from cupel.errors import RunBusyError, RunLogError, UsageError
from cupel.improvement.ledger import Ledger

AT = "2026-11-20T12:00:00Z"


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "refinement" / "ledger.jsonl")


def decide(ledger, version, decision="promote", against="v0"):
    data = {"version": version, "decision": decision, "against": against}
    ledger.append("version", task="t", key=version, at=AT, data={"version": version, "parent": against})
    return ledger.append("decision", task="t", key=f"{version}:{against}", at=AT, data=data)


def test_entries_come_back_as_they_were_written(ledger):
    """Entries come oldest first, by task and kind."""
    ledger.append("note", task="t", key="1", at=AT, data={"text": "ä – “ü”"})
    ledger.append("note", task="u", key="1", at=AT, data={})

    assert [entry.task for entry in ledger.entries()] == ["t", "u"]
    assert ledger.entries(task="t", kind="note")[0].data == {"text": "ä – “ü”"}
    assert ledger.entries(kind="look") == []


def test_a_ledger_that_does_not_exist_is_empty(tmp_path):
    """Looking at it makes no file."""
    ledger = Ledger(tmp_path / "none.jsonl")

    assert ledger.entries() == []
    assert ledger.active("t") is None
    assert not list(tmp_path.iterdir())


def test_an_entry_is_written_once(ledger):
    """The second one with its key gives the first one back, byte for byte the same file."""
    first = ledger.append("note", task="t", key="k", at=AT, data={"n": 1})
    before = ledger.path.read_bytes()
    second = ledger.append("note", task="t", key="k", at="2027-01-01T00:00:00Z", data={"n": 2})

    assert second == first
    assert ledger.path.read_bytes() == before


def test_a_torn_last_line_is_passed_over_and_then_removed(ledger):
    """A kill in the middle of a write loses only what was never acknowledged."""
    ledger.append("note", task="t", key="1", at=AT, data={})
    whole = ledger.path.read_bytes()
    second = Ledger(ledger.path.with_name("other.jsonl"))
    second.append("note", task="t", key="2", at=AT, data={"text": "é" * 20})
    line = second.path.read_bytes()
    for cut in range(1, len(line)):
        ledger.path.write_bytes(whole + line[:cut])

        assert [entry.key for entry in ledger.entries()] == ["1"], cut

        ledger.append("note", task="t", key="2", at=AT, data={"text": "é" * 20})
        assert ledger.path.read_bytes() == whole + line, cut


def test_a_line_changed_by_hand_is_named(ledger):
    """Only the last line may be torn."""
    for key in "123":
        ledger.append("note", task="t", key=key, at=AT, data={})
    lines = ledger.path.read_bytes().split(b"\n")
    ledger.path.write_bytes(b"\n".join([lines[0], lines[1][:20], *lines[2:]]))

    with pytest.raises(RunLogError, match=r"ledger\.jsonl:2: not a ledger entry"):
        ledger.entries()


def test_looks_are_counted_by_held_out_version_and_a_candidate_looks_once(ledger):
    """Each new candidate spends less; looking again spends nothing."""
    looks = [ledger.look(task="t", held_out="h1", version=v, at=AT) for v in ("a", "b", "a")]

    assert [look.number for look in looks] == [1, 2, 1]
    assert looks[1].alpha == pytest.approx(looks[0].alpha / 4)
    assert ledger.looks("t", "h1") == 2
    assert ledger.look(task="t", held_out="h2", version="a", at=AT).number == 1
    assert ledger.look(task="u", held_out="h1", version="b", at=AT).number == 1


@pytest.mark.parametrize("decision", ["reject", "inconclusive", None])
def test_nothing_is_promoted_without_a_decision_to(ledger, decision):
    """The pointer moves only with the gate."""
    if decision:
        decide(ledger, "v1", decision)

    with pytest.raises(UsageError, match=r"has no gate's decision to promote it"):
        ledger.promote("v1", task="t", approver="someone", at=AT)
    assert ledger.active("t") is None


def test_a_promotion_can_be_rolled_back_to_what_was_before(ledger):
    """A rollback may also lead to the version it all started from."""
    decide(ledger, "v1")
    ledger.promote("v1", task="t", approver="someone", at=AT)
    decide(ledger, "v2", against="v1")
    ledger.promote("v2", task="t", approver="someone", at=AT)

    assert ledger.active("t") == "v2"
    assert ledger.history("t") == ["v0", "v1", "v2"]
    assert ledger.lineage("t", "v2") == ["v2", "v1", "v0"]

    ledger.rollback("v0", task="t", approver="someone", at=AT)

    assert ledger.active("t") == "v0"
    with pytest.raises(UsageError, match=r"never at version v9; it was at v0, v1, v2"):
        ledger.rollback("v9", task="t", approver="someone", at=AT)


def test_promoting_again_after_a_kill_changes_nothing(ledger):
    """The same move is one entry."""
    decide(ledger, "v1")
    first = ledger.promote("v1", task="t", approver="someone", at=AT)
    before = ledger.path.read_bytes()

    assert ledger.promote("v1", task="t", approver="someone", at="2027-01-01T00:00:00Z") == first
    assert ledger.path.read_bytes() == before


def test_a_winner_over_a_version_that_is_no_longer_active_is_not_promoted(ledger):
    """It was never compared with what it would replace."""
    decide(ledger, "v1")
    decide(ledger, "v2")
    ledger.promote("v1", task="t", approver="someone", at=AT)

    with pytest.raises(UsageError, match="compared with v0, but v1 is active now"):
        ledger.promote("v2", task="t", approver="someone", at=AT)


def test_two_environments_have_pointers_of_their_own(ledger):
    """A promotion here is none there."""
    decide(ledger, "v1")
    ledger.promote("v1", task="t", approver="someone", at=AT, environment="staging")

    assert (ledger.active("t", "staging"), ledger.active("t")) == ("v1", None)


def test_a_task_is_improved_by_one_at_a_time(ledger):
    """The second is refused and told who holds it; another task is free."""
    with ledger.session("t"):
        with (
            pytest.raises(
                RunBusyError, match=rf"task 't' is being worked on by another process \(id {os.getpid()}\)"
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
    from cupel.improvement.ledger import Ledger

    ledger, name = Ledger(Path(sys.argv[1])), sys.argv[2]
    for number in range(int(sys.argv[3])):
        ledger.append("note", task="t", key=f"{name}-{number}", at="2026-11-20T12:00:00Z", data={"text": "x" * 2000})
        print(number, flush=True)
""")


def writer(ledger, name, count=1_000_000):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(ledger.path), name, str(count)], stdout=subprocess.PIPE
    )


def test_processes_that_write_at_once_lose_nothing(ledger):
    """Of two writers every line is whole, and none is there twice."""
    writers = [writer(ledger, name, 25) for name in "ab"]
    for process in writers:
        process.communicate(timeout=60)
    keys = [entry.key for entry in ledger.entries()]

    assert sorted(keys) == sorted(f"{name}-{n}" for name in "ab" for n in range(25))


def test_a_killed_writer_loses_nothing_it_acknowledged(ledger):
    """After kill -9 in full flight the next writer goes on where it stopped and gives the same ledger."""
    acknowledged = -1
    for _ in range(3):
        process = writer(ledger, "a")
        for _ in range(15):
            acknowledged = max(acknowledged, int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        keys = [entry.key for entry in ledger.entries()]

        assert keys == [f"a-{n}" for n in range(len(keys))]
        assert len(keys) > acknowledged

    ledger.append("note", task="t", key="last", at=AT, data={})
    lines = ledger.path.read_text(encoding="utf-8").splitlines()
    assert all(json.loads(line) for line in lines)
