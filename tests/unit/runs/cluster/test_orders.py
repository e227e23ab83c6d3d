"""What a worker is told, and what it answers."""

import pickle

import pytest

from cupel import redaction
from cupel.engine import BatchSettings
from cupel.errors import BudgetExceededError, CupelError, ProviderRefusedError, SettingError, TaskError
from cupel.runs.cluster.orders import Trouble, check_cluster, order_of
from tests.unit.runs.stand_in import job_of

POSTGRES = {"CUPEL_DATABASE_URL": "postgresql://user:secret@host/db"}


def test_an_order_carries_the_job_and_nothing_secret(small, monkeypatch):
    """Keys and the database's address stay in each worker's own environment."""
    monkeypatch.setenv("CUPEL_DATABASE_URL", POSTGRES["CUPEL_DATABASE_URL"])
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    order = order_of(job_of(small, concurrency=3, max_usd=2.0, near_duplicates=0.9), small, run_id="r")

    assert (order.task, order.concurrency, order.max_usd, order.near_duplicates, order.run_id) == (
        "stance", 3, 2.0, 0.9, "r",
    )  # fmt: skip
    assert b"secret" not in pickle.dumps(order)


def test_every_invocation_has_an_order_of_its_own(small):
    """A worker that was halted for one goes to work for the next."""
    names = {order_of(job_of(small), small).name for _ in range(3)}

    assert len(names) == 3


def test_batches_belong_to_one_process(small):
    """Two of them would send the same job twice."""
    with pytest.raises(SettingError, match="leave out --batch"):
        order_of(job_of(small, batch=BatchSettings()), small)
    with pytest.raises(SettingError, match="leave out --batch"):
        check_cluster(POSTGRES, batch=True)


@pytest.mark.parametrize(
    ("env", "says"),
    [
        pytest.param({}, r"\(it is not set\)", id="no database"),
        pytest.param({"CUPEL_DATABASE_URL": "sqlite:///x"}, r"\(it is sqlite://…\)", id="a file"),
    ],
)
def test_workers_elsewhere_need_a_database_they_can_all_reach(env, says):
    """A file on this machine is none."""
    with pytest.raises(SettingError, match=says):
        check_cluster(env, batch=False)


def test_a_postgresql_run_log_will_do():
    """With Dask installed nothing is missing."""
    check_cluster(POSTGRES, batch=False)


def test_an_error_comes_home_as_what_it_was():
    """Classes whose arguments do not survive the way keep their text and exit code."""
    error = TaskError("no such label", path="task.toml")
    home = pickle.loads(pickle.dumps(Trouble.of(error))).error()

    assert (type(home), str(home), home.exit_code) == (TaskError, "task.toml: no such label", error.exit_code)


def test_an_error_of_another_version_is_still_an_error():
    """Its class is not known here; what it says is."""
    home = Trouble("NovelError", "something new", 4).error()

    assert (type(home), str(home), home.exit_code) == (CupelError, "something new", 4)
    assert Trouble.of(BudgetExceededError("spent")).error().exit_code == 3


def test_an_error_on_its_way_home_carries_no_key(monkeypatch):
    """A worker knows its own secrets, the driver may not: they are gone before anything is sent."""
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    redaction.remember_secrets({"OPENAI_API_KEY": "sk-s3ntinel4711"})
    trouble = Trouble.of(ProviderRefusedError("401: sk-s3ntinel4711", model="openai:x", status=401))

    assert trouble.text == str(trouble.error()) == "openai:x: 401: ***"
