"""The keys of a server's callers: made, listed, revoked, and looked up by their hash.

A key is 256 random bits, so there is nothing to guess and nothing to slow down: its SHA-256 is what the run log
has (docs/decisions/0048), and one look-up by it is what a request costs.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, select, update

from cupel.engine import Cap
from cupel.errors import UsageError
from cupel.runlog import RunLog, exact_time, insert_of, now, tables
from cupel.serve.policy import Policy

PREFIX = "cupel_"
EVERYBODY = "*"
_NAME = re.compile(r"[\w.@+-]{1,80}")
Kind = Literal["caller", "metrics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is known of a key; the key itself is not."""

    id: str
    """Owner of the threads, runs and reviews made with it."""

    name: str
    kind: Kind
    created_at: str
    revoked_at: str | None


@dataclass(frozen=True, slots=True)
class Use:
    """A key with what was done with it today."""

    key: Key
    documents: int
    spent_usd: float


async def create_key(run_log: RunLog, name: str, kind: Kind = "caller") -> tuple[Key, str]:
    """Make a key; the second value is the key itself, which nobody can ask for again.

    Raises:
        UsageError: If the name is none, or one that a key has or had.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a key; use up to 80 letters, digits and . @ + - _")
    secret = PREFIX + secrets.token_urlsafe(32)
    key = Key(id=secrets.token_hex(6), name=name, kind=kind, created_at=exact_time(), revoked_at=None)
    row = {
        "id": key.id, "name": name, "digest": digest_of(secret), "kind": kind, "created_at": key.created_at, "revoked_at": None,
    }  # fmt: skip

    def add(connection: Connection) -> bool:
        made = insert_of(connection)(tables.serve_keys).values(**row)
        taken = connection.execute(made.on_conflict_do_nothing(index_elements=["name"])).rowcount
        stands = select(tables.serve_keys.c.digest).where(tables.serve_keys.c.name == name)
        return bool(taken) or connection.execute(stands).scalar_one() == row["digest"]

    if not await run_log.transact(add):
        raise UsageError(
            f"there is, or was, a key named {name!r}; take another name: what was done with a key stays its own"
        )
    return key, secret


async def revoke_key(run_log: RunLog, name: str) -> Key:
    """Take a key back, by its name or id; from then on no process lets it in.

    Raises:
        UsageError: If there is no such key; it names those there are.
    """
    known = await run_log.transact(_all)
    key = next((one for one in known if name in (one.name, one.id)), None)
    if key is None:
        raise UsageError(
            f"there is no key {name!r}; there are {', '.join(one.name for one in known) or 'none'}"
        )
    if key.revoked_at is None:
        table = tables.serve_keys
        change = update(table).where(table.c.id == key.id).values(revoked_at=now())
        await run_log.transact(lambda connection: connection.execute(change).rowcount)
    return key


async def list_keys(run_log: RunLog) -> list[Use]:
    """Every key, revoked ones too, the oldest first, with what was done with it today."""
    used = await run_log.transact(_used_today)
    return [Use(key, *used.get(key.id, (0, 0.0))) for key in await run_log.transact(_all)]


async def find_key(run_log: RunLog, secret: str) -> Key | None:
    """The key that was shown; None where there never was such a one."""
    table = tables.serve_keys
    query = select(table).where(table.c.digest == digest_of(secret))
    row = await run_log.transact(lambda connection: connection.execute(query).mappings().first())
    return None if row is None else _key_of(row)


async def has_keys(run_log: RunLog) -> bool:
    """Whether a key was ever made: from then on nobody comes in without one, were the last one revoked."""
    query = select(func.count()).select_from(tables.serve_keys)
    return bool(await run_log.transact(lambda connection: connection.execute(query).scalar_one()))


def digest_of(secret: str) -> str:
    """What the run log has of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def caps_of(owner: str, policy: Policy) -> Sequence[Cap]:
    """What holds today for whoever asks: the caps of the key, and those of all together.

    Args:
        owner: The key's id; another word for who needs none.
        policy: The owner's of the server.
    """
    caps, today = policy.caps, _today()
    return (
        Cap(name=f"{today} {owner}", what="this key", usd=caps.usd_per_key, documents=caps.documents_per_key),
        Cap(
            name=f"{today} {EVERYBODY}",
            what="all keys together",
            usd=caps.usd_per_day,
            documents=caps.documents_per_day,
        ),
    )


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _all(connection: Connection) -> list[Key]:
    rows = connection.execute(select(tables.serve_keys).order_by(tables.serve_keys.c.created_at)).mappings()
    return [_key_of(row) for row in rows]


def _key_of(row: Mapping[Any, Any]) -> Key:
    return Key(**{name: row[name] for name in Key.__dataclass_fields__})


def _used_today(connection: Connection) -> dict[str, tuple[int, float]]:
    table, today = tables.allowances, _today()
    rows = connection.execute(select(table).where(table.c.name.startswith(today)))
    return {row.name.removeprefix(f"{today} "): (row.documents, row.spent_pico / 1e12) for row in rows}
