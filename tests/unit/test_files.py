"""What is kept is for its owner alone, whatever the umask; what leads elsewhere is not followed."""

from __future__ import annotations

import os

import pytest

from cupel.calibration.confidence import store
from cupel.files import make_folder, open_private, readable_by_others, write_whole
from cupel.improvement.ledger import ledger_of
from cupel.runlog import RunLog


@pytest.fixture(autouse=True, params=[0o000, 0o022, 0o077], ids=oct)
def umask(request):
    """Whatever a person's shell set."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder):
    """Permissions of everything in a folder, by what it is."""
    return {(path.is_dir(), oct(path.stat().st_mode & 0o777)) for path in folder.rglob("*")}


ALONE = {(True, "0o700"), (False, "0o600")}


async def test_state_is_its_owners_alone(tmp_path):
    """Run log, claims, policies and the ledger: files 0600, folders 0700."""
    state = tmp_path / "home" / ".cupel"
    log = RunLog(f"sqlite:///{state / 'runlog.sqlite'}")
    log.claims.take("ab" * 32)
    await log.reserve("k", "run", 0.1)
    store(state / "policies" / "t.json", "{}")
    ledger_of(state).append("note", task="t", key="k", at="now", data={})
    here = modes(tmp_path)
    log.close()

    assert here == ALONE
    assert not readable_by_others(state)


def test_a_folder_that_is_there_keeps_its_permissions(tmp_path):
    """A team may share it on purpose."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o775)
    write_whole(make_folder(shared / "mine") / "a.txt", "x")
    with open_private(shared / "b.txt", "w", encoding="utf-8") as file:
        file.write("x")

    assert (shared.stat().st_mode & 0o777, modes(shared)) == (0o775, ALONE)
    assert readable_by_others(shared)


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path):
    """Nothing is made where it points."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="leads nowhere"):
        make_folder(tmp_path / "link" / "inner")
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_in_a_folders_place_is_named(tmp_path):
    """The error says which."""
    (tmp_path / "file").write_text("x")

    with pytest.raises(OSError, match="where a folder is needed"):
        make_folder(tmp_path / "file" / "inner")


@pytest.mark.parametrize("kind", ["write_whole", "open_private"])
def test_a_link_in_a_files_place_is_never_followed(tmp_path, kind):
    """What it leads to stays: a text takes the link's place, and an open file is refused with a reason."""
    (tmp_path / "theirs").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    if kind == "write_whole":
        write_whole(tmp_path / "link", "new")
        assert (tmp_path / "link").read_text() == "new"
    else:
        with pytest.raises(OSError, match="no link is followed"):
            open_private(tmp_path / "link", "a")

    assert (tmp_path / "theirs").read_text() == "precious"


def test_what_is_no_regular_file_is_not_replaced(tmp_path):
    """A pipe stays a pipe."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OSError, match="no regular file"):
        write_whole(tmp_path / "pipe", "x")
    assert (tmp_path / "pipe").is_fifo()
