"""Files and frames of documents: read row by row, written with the new columns beside the old ones.

`open_table` reads CSV, TSV, JSON, JSONL (also `.gz`) and Parquet; `frame_rows` reads a DataFrame the same way.
Both give a `Table`: it knows its columns and how many rows it has, and yields a `Row` at a time, so memory does
not grow with the file. `open_writer` writes any of the formats and replaces the target in one step at the end.
"""

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.tables.cells import json_text
from cupel.tables.columns import Kind, check_columns, outcome_columns
from cupel.tables.frames import attach_columns, frame_rows
from cupel.tables.ownership import Output, default_output, noted_outputs
from cupel.tables.reading import open_table
from cupel.tables.rows import Row, Table, doc_id_text
from cupel.tables.writing import check_writable, open_writer

if TYPE_CHECKING:
    from cupel.tables.parquet import do_without_pandas
else:
    __getattr__ = late(__name__)
