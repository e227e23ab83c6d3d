"""Charges whose turn has not come yet: those of a process that is gone are given back for it.

A killed process leaves behind what its calls were charged and slept on, up to its concurrency times the pace of
the limit. Every gate is heard of while it has any; one that is silent for `GONE_S` has lost them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, text

BEAT_S = 3.0
"""A gate whose calls wait for their turn is heard of this often."""

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
# what was charged at once is not noted: it was sent, and stays counted until it has leaked
_NOTE = text(f"""
    INSERT INTO cupel_places (gate, lane, kind, amount_s, due_at)
    VALUES (:gate, :lane, :kind, :amount_s, {NOW} + :wait_s)""")  # noqa: S608 (constants only)
_FORGET = text("""
    DELETE FROM cupel_places WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM cupel_places
        WHERE gate = :gate AND lane = :lane AND kind = :kind AND amount_s = :amount_s
        ORDER BY due_at DESC LIMIT 1))""")
_PASSED = text(f"DELETE FROM cupel_places WHERE due_at <= {NOW}")  # noqa: S608 (constants only)
_LOST = text(f"""
    DELETE FROM cupel_places AS p USING cupel_gates AS g
    WHERE p.gate = g.gate AND g.heard_at < {NOW} - :gone_s AND p.due_at > {NOW}
    RETURNING p.lane, p.kind, p.amount_s""")  # noqa: S608 (constants only)
_TIDY = text(f"""
    DELETE FROM cupel_gates AS g WHERE g.heard_at < {NOW} - 3600
    AND NOT EXISTS (SELECT 1 FROM cupel_places AS p WHERE p.gate = g.gate)""")  # noqa: S608 (constants only)
GIVE_BACK = text(
    "UPDATE cupel_limits SET empty_at = empty_at - :amount_s WHERE lane = :lane AND kind = :kind"
)


class OpenCharge(NamedTuple):
    """Room in one bucket, in seconds of its leak, that a call will use when its turn comes."""

    lane: str
    kind: str
    amount_s: float
    wait_s: float = 0.0


def beat(connection: Connection, gate: str) -> None:
    """Be heard of."""
    connection.execute(_BEAT, {"gate": gate})


def note(connection: Connection, gate: str, charges: Iterable[OpenCharge]) -> None:
    """Note the charges this gate's calls wait on."""
    rows = [{"gate": gate, **charge._asdict()} for charge in charges]
    if rows:
        connection.execute(_NOTE, rows)


def forget(connection: Connection, gate: str, charge: OpenCharge) -> None:
    """A charge was given back by its owner: forget the last one like it, so that it is not given back twice."""
    connection.execute(_FORGET, {"gate": gate, **charge._asdict()})


def give_back_lost(connection: Connection, *, gone_s: float) -> None:
    """Return what gates that are gone were still waiting for."""
    # a turn that came meanwhile counts as sent, even by a gate that is gone: only those to come are given back
    connection.execute(_PASSED)
    lost: dict[tuple[str, str], float] = {}
    for lane, kind, amount_s in connection.execute(_LOST, {"gone_s": gone_s}):
        lost[lane, kind] = lost.get((lane, kind), 0.0) + amount_s
    for (lane, kind), amount_s in sorted(lost.items()):
        connection.execute(GIVE_BACK, {"lane": lane, "kind": kind, "amount_s": amount_s})
    connection.execute(_TIDY)
