"""Opening the database behind a run log: SQLite in WAL mode, or PostgreSQL; migrated when needed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from cupel.errors import RunLogError
from cupel.runlog.address import SQLITE, show_address, sqlalchemy_address
from cupel.runlog.tables import metadata
from cupel.trust import FILE, make_folder

HEAD = "0005"
"""The newest migration; a log at another revision is upgraded when opened."""

BUSY_TIMEOUT_S = 30.0


def open_engine(url: str) -> Engine:
    """An engine whose tables are there and up to date.

    Raises:
        RunLogError: If the database cannot be opened, is corrupt, or belongs to something else.
    """
    try:
        if url.startswith(SQLITE):
            _make_file(Path(url.removeprefix(SQLITE)))
        engine = _engine(url)
        with engine.begin() as connection:
            _migrate(connection)
    except ModuleNotFoundError as error:
        raise RunLogError(
            f'{show_address(url)} needs a driver: pip install "cupel[postgres]" ({error})'
        ) from error
    except OSError as error:
        raise RunLogError(f"{show_address(url)} cannot be made: {error.strerror or error}") from error
    except (SQLAlchemyError, ValueError) as error:
        raise RunLogError(explain(error, url)) from error
    return engine


def _make_file(path: Path) -> None:
    """Make the file that SQLite would make, for its owner alone; those beside it (-wal, -shm) follow it in that."""
    make_folder(path.parent)
    if path.is_symlink() and not path.exists():
        raise FileNotFoundError(2, "it is a link that leads nowhere", str(path))
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE))


def _engine(url: str) -> Engine:
    address = sqlalchemy_address(url)
    if not url.startswith(SQLITE):
        return create_engine(address, pool_pre_ping=True, pool_size=4)
    engine = create_engine(
        address, poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """WAL: readers never wait for the writer, and a commit survives a killed process."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _migrate(connection: Connection) -> None:
    names = set(inspect(connection).get_table_names())
    if "alembic_version" in names:
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if revision == HEAD:
            return
        if revision is not None and revision > HEAD:
            raise RunLogError(
                f"the run log is at revision {revision}, newer than this Cupel ({HEAD}); upgrade Cupel"
            )
    elif connection.dialect.name == "sqlite":
        if names:
            raise RunLogError(
                f"this SQLite file is not a run log: it has the tables {', '.join(sorted(names))}"
            )
        _lay_out(connection)
        return
    _upgrade(connection)


def _lay_out(connection: Connection) -> None:
    """The newest tables in an empty file, as all migrations together make them, without importing Alembic."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # two runs may start at once: the second finds it done
    metadata.create_all(connection)
    connection.execute(
        text(
            "CREATE TABLE IF NOT EXISTS alembic_version "
            "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(text("INSERT OR IGNORE INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":  # several processes may start at once
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('cupel.migrations'))"))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def explain(error: Exception, url: str) -> str:
    """A database error in words that say what to do."""
    said = str(getattr(error, "orig", error)).strip().splitlines()[0]
    where = show_address(url)
    if "locked" in said:
        return f"{where} is locked by another program ({said}); end it, or set CUPEL_DATABASE_URL to another place"
    if "malformed" in said or "not a database" in said:
        return f"{where} is corrupt ({said}); move it aside and run again: nothing else refers to it"
    if "full" in said:
        return f"{where}: the disk is full ({said}); free some space and run the same command again"
    return f"{where} cannot be used: {said}"
