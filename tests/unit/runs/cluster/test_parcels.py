"""A project on its way to a worker."""

from dataclasses import replace

import pytest

from cupel.errors import ProjectError
from cupel.project import Project
from cupel.runs.cluster.parcels import pack, unpack


def test_the_same_files_are_the_same_parcel(small):
    """A worker that has unpacked it needs no second copy."""
    assert pack(small) == pack(small)


def test_a_worker_has_the_graphs_prompts_and_policies_and_not_the_run_log(small, tmp_path):
    """The run log is the database all of them share."""
    (small.state / "policies").mkdir(parents=True)
    (small.state / "policies/stance.json").write_text("{}")
    (small.state / "runs.sqlite").write_text("private")
    there = unpack(pack(small), tmp_path)

    assert (there.folder / "graphs/enrich.py").read_text() == (small.folder / "graphs/enrich.py").read_text()
    assert (there.prompts / "stance/task.toml").is_file()
    assert (there.state / "policies/stance.json").is_file()
    assert not (there.state / "runs.sqlite").exists()


def test_a_parcel_is_unpacked_once_in_a_process(small, tmp_path):
    """All partitions share one folder."""
    parcel = pack(small)

    assert unpack(parcel, tmp_path) == unpack(parcel, tmp_path)


def test_a_parcel_that_arrives_changed_is_refused(small):
    """Nothing of it is run."""
    parcel = replace(pack(small), content=b"something else")

    with pytest.raises(ProjectError, match="the project arrived changed"):
        unpack(parcel)


def test_a_folder_without_a_project_cannot_be_packed(tmp_path):
    """It says how a project is made."""
    with pytest.raises(ProjectError, match="cupel init"):
        pack(Project(tmp_path, tmp_path / ".cupel"))
