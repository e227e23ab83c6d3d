"""Files and frames of documents: read row by row, written with the new columns beside the old ones.

`open_table` reads CSV, TSV, JSON, JSONL (also `.gz`), Parquet and Excel; `frame_rows` reads a frame of pandas, polars or
pyarrow, or a list, the same way, and `attach_columns` gives the same kind back.
Both give a `Table`: it knows its columns and how many rows it has, and yields a `Row` at a time, so memory does
not grow with the file. `open_writer` writes any of the formats and replaces the target in one step at the end.
"""

from typing import TYPE_CHECKING

from cupel._late import late
from cupel.tables.cells import json_text
from cupel.tables.columns import (
    Kind,
    check_apart,
    check_columns,
    check_new,
    outcome_columns,
    require_column,
    task_columns,
    task_kinds,
)
from cupel.tables.formats import Layout
from cupel.tables.frame_kinds import TAKEN, Column, Frame, is_frame, open_frame
from cupel.tables.frames import attach_columns, frame_rows
from cupel.tables.inputs import InputFile, InputSource, input_sources, long_inputs, read_input_files
from cupel.tables.ownership import Output, default_output, noted_outputs
from cupel.tables.reading import open_table, raw_rows
from cupel.tables.rows import Row, Table, doc_id_text
from cupel.tables.tidy import ITEM, Level, Tidy, read_record, tidy_of
from cupel.tables.writing import RowWriter, check_writable, open_tidy_writer, open_writer, tidy_path

if TYPE_CHECKING:
    from cupel.tables.parquet import do_without_pandas
else:
    __getattr__ = late(__name__)
