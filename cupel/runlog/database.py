"""Opening the database behind a run log: SQLite in WAL mode, or PostgreSQL; migrated when needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from cupel.errors import RunLogError, SettingError
from cupel.files import FILE, full_path, make_folder, refuse_links
from cupel.runlog.address import SQLITE, show_address, sqlalchemy_address
from cupel.runlog.patience import Patience, patiently
from cupel.runlog.tables import metadata

T = TypeVar("T")

HEAD = "0010"
"""The newest migration; a log at another revision is upgraded when opened."""

BESIDE = ("-wal", "-shm", "-journal")
"""Names of the files SQLite keeps beside a database."""

BUSY_TIMEOUT_S = 1.0
"""How long SQLite itself waits for a lock, deaf to everything else; the patience around it waits much longer."""

ALIVE = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""How PostgreSQL's client notices that nobody is there any more."""


class Database(Protocol):
    """A run log's database, for what is not asked a thousand times: each piece of work opens a connection."""

    @property
    def engine(self) -> Engine:
        """What connects to it."""

    def persist(self, work: Callable[[], T]) -> T:
        """What a function makes of `engine`, called again while the database is away."""


class OpenDatabase:
    """The database behind an address, opened when it is first asked; without the run log's thread.

    Args:
        url: SQLAlchemy's.
        wait_s: Seconds for which one that is away is waited for.
    """

    def __init__(self, url: str, *, wait_s: float) -> None:
        self._url, self._wait_s = url, wait_s

    @cached_property
    def engine(self) -> Engine:
        """What connects to it; its tables are up to date."""
        return open_engine(self._url, self._patience())

    def persist(self, work: Callable[[], T]) -> T:
        """What a function makes of `engine`, called again while the database is away.

        Raises:
            RunLogError: When that takes too long.
        """
        try:
            return patiently(work, self._patience())
        finally:
            self.engine.dispose()  # nobody closes it: a server's connections are not kept between two pieces of work

    def _patience(self) -> Patience:
        return Patience(self._wait_s, show_address(self._url), lambda error: explain(error, self._url))


def open_engine(url: str, patience: Patience | None = None) -> Engine:
    """An engine whose tables are there and up to date.

    Args:
        url: SQLAlchemy's.
        patience: How long one that is locked or just starting is waited for; not at all without.

    Raises:
        SettingError: If the address is none, or needs what is not installed.
        RunLogError: If the database cannot be opened, is damaged, or belongs to something else.
    """
    engine = _engine(url)
    path = sqlite_path(url)
    if path is not None:
        _make_file(path)
    patience = patience or Patience(0.0, show_address(url), lambda error: explain(error, url))
    patiently(lambda: _lay_out_or_migrate(engine), patience, opening=True)
    return engine


def sqlite_path(url: str) -> Path | None:
    """The SQLite file an address names; None for another database, or one in memory."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) and url != SQLITE else None


def _make_file(path: Path) -> None:
    """Make the file that SQLite would make, for its owner alone; those beside it (-wal, -shm) follow it in that.

    SQLite follows a link in the place of the database, and in that of a working file as its version has it: it is not asked to open one.
    """
    try:
        make_folder(path.parent)
    except OSError as error:
        raise RunLogError(
            f"{path}: its folder cannot be made ({error.strerror or error}); set CUPEL_DATABASE_URL to another place"
        ) from error
    check_beside(path)
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and not path.exists():
        # SQLite would take the file for a new one, and remove what this holds
        raise RunLogError(
            f"{wal} is there without its database {path.name}; bring that back, or move the {wal.suffix} file aside"
        )
    if path.is_dir():
        raise RunLogError(f"{path} is a folder, where the run log should be a file; move it aside")
    if path.is_symlink() and not path.exists():
        raise RunLogError(f"{path} is a link that leads nowhere ({full_path(path)}); remove it, or mend it")
    check_in_state(path)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE))
    except FileExistsError:
        pass
    except OSError as error:
        raise RunLogError(f"{path} cannot be made: {error.strerror or error}") from error


def check_beside(path: Path) -> None:
    """Refuse a link, pipe or folder in the place of a working file of SQLite's.

    Raises:
        RunLogError: There is one.
    """
    for end in BESIDE:
        beside = path.with_name(path.name + end)
        if beside.is_symlink() or (beside.exists() and not beside.is_file()):
            what = f"a link to {beside.readlink()}" if beside.is_symlink() else "no regular file"
            raise RunLogError(
                f"{beside} is {what}, where the run log {path.name} has a file of its own; it was not touched: remove it"
            )


def check_in_state(path: Path) -> None:
    """Refuse a run log that is a link, or behind one, in a state folder, and one that is no regular file.

    Raises:
        RunLogError: It is one.
    """
    try:
        refuse_links(path)
    except OSError as error:
        raise RunLogError(
            f"{error.strerror}; remove it, or, if you laid it, name the file itself: "
            f"CUPEL_DATABASE_URL={SQLITE}{full_path(path)}"
        ) from None
    if path.exists() and not path.is_file():
        raise RunLogError(f"{path} is no regular file, where the run log should be one; move it aside")


def _lay_out_or_migrate(engine: Engine) -> None:
    with engine.begin() as connection:
        _migrate(connection)


def _engine(url: str) -> Engine:
    try:
        address = sqlalchemy_address(url)
        if url.startswith(SQLITE):
            return _sqlite_engine(address)
        alive = {name: value for name, value in ALIVE.items() if name not in address.query}
        return create_engine(
            address, pool_pre_ping=True, pool_size=4,
            connect_args=alive if address.get_backend_name() == "postgresql" else {},
        )  # fmt: skip
    except ModuleNotFoundError as error:
        raise SettingError(
            f'{show_address(url)} needs a driver: pip install "cupel[postgres]" ({error})'
        ) from error
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise SettingError(
            "CUPEL_DATABASE_URL is no address of a database: it has the form "
            f"postgresql://USER:PASSWORD@HOST:PORT/DATABASE or sqlite:///FILE ({type(error).__name__})"
        ) from error


def _sqlite_engine(address: URL) -> Engine:
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
            if missing := sorted(metadata.tables.keys() - names):
                raise RunLogError(f"{_name(connection)} lacks the table {', '.join(missing)}; {_MEND}")
            return
        if revision is not None and revision > HEAD:
            raise RunLogError(
                f"{_name(connection)} is at revision {revision}, newer than this Cupel ({HEAD}); upgrade Cupel"
            )
    elif connection.dialect.name == "sqlite":
        if names:
            raise RunLogError(
                f"{_name(connection)} is not a run log: it has the tables {', '.join(sorted(names))}; "
                "it is left as it is. Set CUPEL_DATABASE_URL to another place"
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
    from alembic.util import CommandError

    if connection.dialect.name == "postgresql":  # several processes may start at once
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('cupel.migrations'))"))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise RunLogError(
            f"{_name(connection)} is at a revision that no Cupel has made ({error}); move it aside"
        ) from error


def _name(connection: Connection) -> str:
    return show_address(str(connection.engine.url))


def explain(error: Exception, url: str) -> str:
    """A database error in words that say what to do."""
    said = str(getattr(error, "orig", error)).strip().splitlines()[0]
    where = show_address(url)
    for signs, means in _MEANINGS:
        if any(sign in said for sign in signs):
            return f"{where} {means.format(said=said)}"
    return f"{where} cannot be used: {said}"


_MEND = "`cupel runlog check` says what is damaged, `cupel runlog repair` saves all that can be read"
_MEANINGS = (
    (("locked",), "is locked by another program ({said}); end it, or set CUPEL_DATABASE_URL to another place"),
    (("malformed", "not a database"), "is damaged or no database ({said}); " + _MEND),
    (("decode to UTF-8",), "has a damaged cell ({said}); " + _MEND),
    (("no such table", "no such column", "no column named", "already exists"), "lacks a part ({said}); " + _MEND),
    (("readonly", "read-only"), "is read-only ({said}); make it writable, or set CUPEL_DATABASE_URL to another place"),
    (("full",), "cannot grow, the disk is full ({said}); make room and give the same command again"),
    (("unable to open",), "cannot be opened ({said}); see who may write there, or set CUPEL_DATABASE_URL to another place"),
)  # fmt: skip
