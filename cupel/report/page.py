"""The report of a run as one HTML file: no network, nothing executed but its own script.

Documents and model replies are untrusted. The summary is written by `markup.tag`, which escapes; documents
travel as JSON in inert script elements, and the page's script puts them on screen as text only. A content
security policy forbids everything else: other scripts, styles, images, frames and any request.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

from cupel.errors import OutputPathError
from cupel.files import make_folder, open_private
from cupel.report.compact import compact_outcome, listing
from cupel.report.data import data_section
from cupel.report.markup import Safe, policy, tag
from cupel.report.overview import overview
from cupel.report.records import Figure, Records
from cupel.report.summary import DocumentEntry, RunSummary, Totals
from cupel.tables import Tidy

MAX_DOCUMENTS = 10_000
MAX_CHARS = 100_000_000
"""Of all documents' data together; a browser takes about a second for so much."""

_CHUNK = 50
"""Documents in one inert block: what the script reads when one of them is opened."""

_SEARCHED = ("doc_id", "text", "record", "inputs", "reasons")
"""What the page's search looks through; it stands in blocks of its own."""

MAX_NAMES = 1_000
"""Of fields; with more, the search makes sure of every hit that it is no name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """A report that was written, and what of it a page of several tasks shows again."""

    path: Path
    totals: Totals
    figures: Sequence[Figure]


def write_report(
    path: Path | str, run: RunSummary, outcomes: Iterable[DocumentEntry], tidy: Tidy | None = None
) -> Path:
    """Write a page as `write_task_page` does; returns where it is."""
    return write_task_page(path, run, outcomes, tidy).path


def write_task_page(
    path: Path | str, run: RunSummary, outcomes: Iterable[DocumentEntry], tidy: Tidy | None = None
) -> TaskPage:
    """Write the report of a run; an earlier one is replaced in one step.

    Of more than `MAX_DOCUMENTS`, all that need review or failed come first in the choice, then the first
    accepted ones; the summary always counts all, and the page says how many are shown.

    Args:
        path: The HTML file; its folder is made where missing.
        run: The run's totals.
        outcomes: Every document, in the input's order; it may be a generator.
        tidy: What the task's schema says of records, where it is known: only then references lead to what they name.

    Raises:
        OutputPathError: If it cannot be written there.
    """
    path = Path(path)
    try:
        make_folder(path.parent)
        with tempfile.TemporaryFile(dir=path.parent) as blocks:
            data = _Blocks(blocks, run, Records(tidy))
            for entry in outcomes:
                data.add(DocumentEntry(*entry))
            data.close()
            figures = data.records.figures()
            _publish(path, _page(run, data, figures), blocks)
    except OSError as error:
        msg = f"{path}: the report could not be written: {error.strerror or error}"
        raise OutputPathError(msg) from None
    return TaskPage(path=path, totals=data.totals, figures=figures)


class _Blocks:
    """Takes documents in, counts them, and writes those that are shown in blocks."""

    def __init__(self, file: IO[bytes], run: RunSummary, records: Records) -> None:
        self.file = file
        self.records = records
        self.totals = Totals()
        self.rows: list[list[Any]] = []
        self.chars = 0
        others = min(run.documents - run.statuses.get("accepted", 0), MAX_DOCUMENTS)
        self.room = {True: MAX_DOCUMENTS - others, False: others}
        self.names: set[str] | None = set()
        self._searched: list[str] = []
        self._rest: list[str] = []
        self._number = 0

    def add(self, entry: DocumentEntry) -> None:
        self.totals.add(entry.outcome)
        cells, values = self.records.add(entry)
        accepted = entry.outcome["status"] == "accepted"
        if not self.room[accepted] or self.chars > MAX_CHARS:
            return
        self.room[accepted] -= 1
        self.chars += self._keep(compact_outcome(entry))
        self.rows.append(listing(entry, self.totals.documents, cells, values))
        if len(self._searched) == _CHUNK:
            self.close()

    def _keep(self, outcome: dict[str, Any]) -> int:
        """Let a document wait for its blocks; its length in characters."""
        searched = {name: outcome[name] for name in _SEARCHED}
        if self.names is not None:
            self.names.update(_names(searched))
            self.names = self.names if len(self.names) <= MAX_NAMES else None
        rest = {name: value for name, value in outcome.items() if name not in searched}
        self._searched.append(embed(searched))
        self._rest.append(embed(rest))
        return len(self._searched[-1]) + len(self._rest[-1])

    def close(self) -> None:
        """Write the blocks that wait: JSON has no line break of its own, so what is searched is a line a document."""
        if self._searched:
            for kind, waiting in (("s", self._searched), ("d", self._rest)):
                block = "\n,".join(waiting)
                text = f'<script type="application/json" id="{kind}{self._number}">[{block}]</script>\n'
                self.file.write(_encode(text))
                waiting.clear()
            self._number += 1


def _names(value: Any) -> Iterator[str]:
    """Every name of a field, at whatever depth."""
    if isinstance(value, dict):
        yield from value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _names(each)


def embed(value: Any) -> str:
    r"""Return JSON that cannot end or open a script element, nor a comment.

    >>> embed({"text": "</script><!--"})
    '{"text":"\\u003c/script>\\u003c!--"}'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _encode(text: str) -> bytes:
    r"""Return UTF-8; a lone surrogate becomes `\udXXX`, which JSON reads as that very surrogate."""
    return text.encode("utf-8", "backslashreplace")


def _page(run: RunSummary, data: _Blocks, figures: Sequence[Figure]) -> tuple[str, str]:
    """Return what goes before and after the documents' blocks."""
    totals, rows, records = data.totals, data.rows, data.records
    used = records.used_values(figures)
    for row in rows:
        row[-1] = [used[number] for number in row[-1] if number in used]
    style, script = asset("report.css"), asset("report.js")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"Cupel: {run.task}, {totals.documents} documents"),
        Safe(f"<style>{style}</style>"),
    )
    body = overview(run, totals, data_section(figures, used), shown=len(rows))
    index = embed(
        {
            "rows": rows,
            "chunk": _CHUNK,
            "columns": records.to_index(),
            "values": [records.values[number] for number in used],
            "references": records.references,
            "names": None if data.names is None else sorted(data.names),
        }
    )
    inert = f'<script type="application/json" id="index">{index}</script>'
    # before the documents: the table stands while they are still being read
    before = (
        f'<!doctype html>\n<html lang="en">\n{head}\n<body>\n{body}\n{inert}\n<script>{script}</script>\n'
    )
    return before, "</body>\n</html>\n"


def asset(name: str) -> str:
    """A file that pages are made with: `report.css`, `report.js`."""
    return files("cupel.report").joinpath("assets", name).read_text(encoding="utf-8")


def _publish(path: Path, page: tuple[str, str], blocks: IO[bytes]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open_private(part, "wb") as file:
            file.write(_encode(page[0]))
            blocks.seek(0)
            shutil.copyfileobj(blocks, file)
            file.write(_encode(page[1]))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
