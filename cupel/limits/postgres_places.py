"""Places in a shared line that are still waited for: those of a process that is gone are given back for it.

A killed process leaves behind the places its calls were sleeping on, up to its concurrency times the pace of
the limit. Every gate is heard of while it has any; one that is silent for `GONE_S` has lost them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, text

BEAT_S = 3.0
"""A gate with places in the line is heard of this often."""

GONE_S = 15.0
"""Silent for so long, it is taken for dead: longer than any pause of a process that lives."""

NOW = "extract(epoch FROM clock_timestamp())::double precision"

CREATE = (
    text("""
    CREATE TABLE IF NOT EXISTS cupel_gates (gate text PRIMARY KEY, heard_at double precision NOT NULL)"""),
    text("""
    CREATE TABLE IF NOT EXISTS cupel_places (
        gate text NOT NULL, lane text NOT NULL, kind text NOT NULL, amount_s double precision NOT NULL,
        due_at double precision NOT NULL
    )"""),
    text("CREATE INDEX IF NOT EXISTS cupel_places_of_gate ON cupel_places (gate, lane, kind)"),
)
_BEAT = text(f"""
    INSERT INTO cupel_gates (gate, heard_at) VALUES (:gate, {NOW})
    ON CONFLICT (gate) DO UPDATE SET heard_at = excluded.heard_at""")  # noqa: S608 (constants only)
_TAKE = text(f"""
    INSERT INTO cupel_places (gate, lane, kind, amount_s, due_at)
    VALUES (:gate, :lane, :kind, :amount_s, {NOW} + :wait_s)""")  # noqa: S608 (constants only)
_LEAVE = text("""
    DELETE FROM cupel_places WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM cupel_places
        WHERE gate = :gate AND lane = :lane AND kind = :kind AND amount_s = :amount_s
        ORDER BY due_at DESC LIMIT 1))""")
_PASSED = text(f"DELETE FROM cupel_places WHERE due_at <= {NOW}")  # noqa: S608 (constants only)
_LOST = text(f"""
    DELETE FROM cupel_places AS p USING cupel_gates AS g
    WHERE p.gate = g.gate AND g.heard_at < {NOW} - :gone_s AND p.due_at > {NOW}
    RETURNING p.lane, p.kind, p.amount_s""")  # noqa: S608 (constants only)
_FORGET = text(f"""
    DELETE FROM cupel_gates AS g WHERE g.heard_at < {NOW} - 3600
    AND NOT EXISTS (SELECT 1 FROM cupel_places AS p WHERE p.gate = g.gate)""")  # noqa: S608 (constants only)
_GIVE_BACK = text(
    "UPDATE cupel_limits SET empty_at = empty_at - :amount_s WHERE lane = :lane AND kind = :kind"
)


class Place(NamedTuple):
    """Room in one bucket that a call will use when its turn comes."""

    lane: str
    kind: str
    amount_s: float
    wait_s: float = 0.0


def beat(connection: Connection, gate: str) -> None:
    """Be heard of."""
    connection.execute(_BEAT, {"gate": gate})


def take(connection: Connection, gate: str, places: Iterable[Place]) -> None:
    """Note the places this gate's calls wait for."""
    rows = [{"gate": gate, **place._asdict()} for place in places]
    if rows:
        connection.execute(_TAKE, rows)


def leave(connection: Connection, gate: str, place: Place) -> None:
    """A place was given back by its owner: forget the last one like it, so that it is not given back twice."""
    told = {"gate": gate, "lane": place.lane, "kind": place.kind, "amount_s": place.amount_s}
    connection.execute(_LEAVE, told)


def give_back_lost(connection: Connection, *, gone_s: float = GONE_S) -> float:
    """Return what gates that are gone were still waiting for; the seconds of line that became free."""
    connection.execute(_PASSED)
    lost: dict[tuple[str, str], float] = {}
    for lane, kind, amount_s in connection.execute(_LOST, {"gone_s": gone_s}):
        lost[lane, kind] = lost.get((lane, kind), 0.0) + amount_s
    for (lane, kind), amount_s in sorted(lost.items()):
        connection.execute(_GIVE_BACK, {"lane": lane, "kind": kind, "amount_s": amount_s})
    connection.execute(_FORGET)
    return sum(lost.values())
