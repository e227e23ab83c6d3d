"""Cells that hold JSON: read, or named where they are damaged."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Column

from cupel.errors import RunLogError


def read_cell(column: Column[Any], written: str, key: str) -> Any:
    """What a cell of a column of JSON says, in the row of this key.

    Raises:
        RunLogError: If it is damaged.
    """
    try:
        return json.loads(written)
    except ValueError as error:
        raise RunLogError(
            f"the run log has a damaged cell: {column.name} in the row {key} of {column.table.name} ({error}); "
            "`cupel runlog check` looks for others, `cupel runlog repair` takes such rows out"
        ) from error
