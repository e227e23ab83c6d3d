"""The run log's database: laid out at once where there is nothing, migrated where there is something."""

import sqlite3
import threading

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from cupel.errors import RunLogError
from cupel.runlog import database
from cupel.runlog.patience import is_passing


def schema_of(path):
    """Every statement that made the file, in one order."""
    with sqlite3.connect(path) as connection:
        made = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        version = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return sorted((name, "".join(sql.split())) for name, sql in made), version


def test_a_new_file_is_what_all_migrations_together_make(tmp_path):
    """The short way, which spares every first run the import of Alembic, ends in the same tables."""
    database.open_engine(f"sqlite:///{tmp_path / 'quick.sqlite'}").dispose()
    migrated = create_engine(f"sqlite:///{tmp_path / 'slow.sqlite'}")
    with migrated.begin() as connection:
        database._upgrade(connection)  # the way an older file goes
    migrated.dispose()
    assert schema_of(tmp_path / "quick.sqlite") == schema_of(tmp_path / "slow.sqlite")


def test_an_older_file_is_migrated(tmp_path):
    """A run log of the first revision gets what came later."""
    path = tmp_path / "old.sqlite"
    database.open_engine(f"sqlite:///{path}").dispose()
    newest = schema_of(path)
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "DROP TABLE batch_requests; DROP TABLE batch_jobs; UPDATE alembic_version SET version_num = '0001'"
        )
    connection.close()
    database.open_engine(f"sqlite:///{path}").dispose()
    assert schema_of(path) == newest


def test_two_processes_may_make_the_same_file_at_once(tmp_path):
    """Of eight that open one file none fails, and it is laid out once."""
    failures = []

    def open_it():
        try:
            database.open_engine(f"sqlite:///{tmp_path / 'one.sqlite'}").dispose()
        except RunLogError as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert schema_of(tmp_path / "one.sqlite")[1] == [(database.HEAD,)]


def test_a_corrupt_file_is_named_with_what_to_do(tmp_path):
    """Bytes that are no database: where it is, and what saves what can be read."""
    path = tmp_path / "bad.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(RunLogError, match=r"bad\.sqlite is damaged .*cupel runlog repair"):
        database.open_engine(f"sqlite:///{path}")


def test_somebody_elses_database_is_left_alone(tmp_path):
    """A file with other tables is not a run log, and is not written to."""
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (id INTEGER)")
    connection.close()
    with pytest.raises(RunLogError, match="not a run log: it has the tables customers"):
        database.open_engine(f"sqlite:///{path}")


def test_a_newer_run_log_asks_for_a_newer_cupel(tmp_path):
    """What a later version wrote is not touched."""
    path = tmp_path / "new.sqlite"
    database.open_engine(f"sqlite:///{path}").dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(RunLogError, match="newer than this Cupel"):
        database.open_engine(f"sqlite:///{path}")


def test_a_locked_file_is_named_with_what_to_do(tmp_path, monkeypatch):
    """Another program holds it: said after the busy time, with the way out."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    path = tmp_path / "held.sqlite"
    holder = sqlite3.connect(path)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(RunLogError, match=r"held\.sqlite is locked by another program"):
            database.open_engine(f"sqlite:///{path}")
    finally:
        holder.close()


CONNECTING = [
    # as PostgreSQL's client says it: no code comes with a connection that failed
    ('connection failed: connection to server at "127.0.0.1", port 1 failed: Connection refused', True),
    (
        'connection is bad: connection to server on socket "/run/.s.PGSQL.5432" failed: No such file or directory',
        True,
    ),
    (
        'connection to server at "10.0.0.1", port 5432 failed: FATAL:  the database system is starting up',
        True,
    ),
    ('connection to server at "10.0.0.1", port 5432 failed: FATAL:  sorry, too many clients already', True),
    ("connection timeout expired", True),
    (
        'connection to server at "10.0.0.1" failed: FATAL:  password authentication failed for user "me"',
        False,
    ),
    ('connection to server at "10.0.0.1" failed: FATAL:  database "cupell" does not exist', False),
    ('connection to server at "10.0.0.1" failed: FATAL:  role "me" does not exist', False),
    ("failed to resolve host 'no.such.host': [Errno -2] Name or service not known", False),
]


@pytest.mark.parametrize(("said", "passes"), CONNECTING)
def test_at_opening_a_server_is_waited_for_and_a_mistake_is_not(said, passes):
    """One that restarts will be there; a wrong name, login or database will not."""
    error = OperationalError("SELECT 1", {}, Exception(said))

    assert is_passing(error, opening=True) is passes
    assert is_passing(error)
