"""Files and frames of documents: read row by row, written with the new columns beside the old ones.

`open_table` reads CSV, TSV, JSON, JSONL (also `.gz`) and Parquet; `frame_rows` reads a DataFrame the same way.
Both give a `Table`: it knows its columns and how many rows it has, and yields a `Row` at a time, so memory does
not grow with the file. `open_writer` writes any of the formats and replaces the target in one step at the end.
"""

from cupel.tables.columns import check_columns, outcome_columns, task_columns
from cupel.tables.formats import Layout
from cupel.tables.frames import attach_columns, frame_rows
from cupel.tables.opening import open_table
from cupel.tables.rows import Row, Table
from cupel.tables.writing import RowWriter, check_writable, open_writer

__all__ = [
    "Layout",
    "Row",
    "RowWriter",
    "Table",
    "attach_columns",
    "check_columns",
    "check_writable",
    "frame_rows",
    "open_table",
    "open_writer",
    "outcome_columns",
    "task_columns",
]
