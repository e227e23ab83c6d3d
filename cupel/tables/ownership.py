"""Which run wrote an output, and what stands in it: an output is continued by its own run, or left alone."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from cupel.errors import OutputPathError
from cupel.files import full_path, make_folder, read_text, write_whole

_LONGEST_NAME = 80
"""Characters of several tasks' names in the name of a file."""

FOLDER = "outputs"
"""In the project's state folder: a small file for each output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a run wrote, as it is noted beside the run log."""

    path: str
    """From the project's folder where it lies in it."""

    run_id: str
    task: str
    columns: str
    """Where text, ids and inputs were read."""

    rows: int
    done: int
    """Rows that had an outcome; the others were not reached."""

    size: int
    changed_ns: int
    content: str = ""
    """A hash of what stood in it; empty in notes of before it was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A file a run is about to write.

    Args:
        path: Where.
        state: The project's state folder, where what was written is noted.
        run_id: The run that writes.
        task: Its task.
        columns: Where text, ids and inputs are read, in words.
    """

    path: Path
    state: Path
    run_id: str
    task: str
    columns: str = ""

    def check(self, rows: int, *, overwrite: bool = False) -> None:
        """Make sure that nothing is lost by writing so many rows there.

        Raises:
            OutputPathError: If the file is another run's, was changed by somebody, or has more rows.
        """
        if overwrite or not self.path.exists():
            return
        written = self.written()
        if written is None:
            why = "exists, and nothing is noted here of the run that wrote it"
        elif written.run_id != self.run_id:
            why = (
                f"was written by run {written.run_id} of task {written.task!r}, and this is another run "
                f"({self.run_id} of task {self.task!r}): other documents, models, settings or prompts"
            )
        elif not _is_as_written(self.path, written):
            why = "was changed after this run had written it"
        elif written.columns != self.columns:
            why = f"was written from other columns ({written.columns}; now {self.columns})"
        elif rows < written.rows:
            why = f"has {written.rows:,} rows, and this command would leave {rows:,} of them (--limit?)"
        else:
            return
        raise OutputPathError(
            f"{self.path}: {why}. Name another file with --out (in Python out=), or replace it with --overwrite (overwrite=True)"
        )

    def is_fuller(self, done: int) -> bool:
        """Whether the file, of this very run, has more outcomes than these."""
        written = self.written() if self.path.exists() else None
        return written is not None and written.run_id == self.run_id and written.done > done

    def written(self) -> Written | None:
        """What is noted of the file that is there; None where nothing is, or nothing readable."""
        try:
            return Written(**json.loads(read_text(self._note)))
        except (OSError, ValueError, TypeError):
            return None

    def note(self, rows: int, done: int) -> None:
        """Note what this run has just written.

        Raises:
            OutputPathError: If the note cannot be written.
        """
        size, changed_ns = _stamp(self.path)
        noted = Written(
            path=self._place, run_id=self.run_id, task=self.task, columns=self.columns,
            rows=rows, done=done, size=size, changed_ns=changed_ns, content=_hash(self.path),
        )  # fmt: skip
        try:
            make_folder(self._note.parent)
            write_whole(self._note, json.dumps(asdict(noted), ensure_ascii=False) + "\n")
        except OSError as error:
            raise OutputPathError(f"{self._note}: cannot be written: {error.strerror or error}") from None

    @property
    def _note(self) -> Path:
        name = hashlib.sha256(self._place.encode("utf-8", "surrogateescape")).hexdigest()
        return self.state / FOLDER / f"{name[:16]}.json"

    @property
    def _place(self) -> str:
        """The path as seen from the project's folder where it lies in it, which may be moved."""
        path, home = full_path(self.path), full_path(self.state).parent
        return str(path.relative_to(home) if path.is_relative_to(home) else path)


def noted_outputs(state: Path) -> dict[Path, str]:
    """The outputs noted in a state folder that are still there, each with the run that wrote it."""
    outputs = {}
    for note in sorted((state / FOLDER).glob("*.json")):
        with contextlib.suppress(OSError, ValueError, TypeError):
            written = Written(**json.loads(read_text(note)))
            path = full_path(state).parent / written.path
            if path.is_file():
                outputs[path] = written.run_id
    return outputs


def _is_as_written(path: Path, written: Written) -> bool:
    """Whether the file is what the note says; its content is looked at only where its time is another, as a copy's is."""
    size, changed_ns = _stamp(path)
    if size != written.size or changed_ns == written.changed_ns:
        return size == written.size
    return bool(written.content) and written.content == _hash(path)


def _hash(path: Path) -> str:
    """A hash of what stands in a file; empty where it cannot be read, and is nobody's then."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _stamp(path: Path) -> tuple[int, int]:
    seen = path.stat()
    return seen.st_size, seen.st_mtime_ns


def default_output(file: Path, task: str, *more: str, one_off: str = "") -> Path:
    """Where a run writes when nobody says where: in the current folder, by a name no other run would get.

    Args:
        file: The input; its suffix is kept, `.gz` with it.
        task: The task's name.
        more: The names of further tasks.
        one_off: What tells a one-off task from others, such as its identity.

    >>> default_output(Path("debates.csv"), "stance").name
    'debates.stance.csv'
    >>> default_output(Path("debates.csv.gz"), "record", one_off="1f2e3d4c5b6a").name
    'debates.record-1f2e3d.csv.gz'
    >>> default_output(Path("debates.csv"), "stance", "summary").name
    'debates.stance+summary.csv'
    """
    named = "+".join((task, *more))
    if more and len(named) > _LONGEST_NAME:
        named = f"{task}+{len(more)}-{_short(named)}"
    zipped = file.name[-3:] if file.name.lower().endswith(".gz") else ""
    name = Path(file.name[: len(file.name) - len(zipped)])
    folder = full_path(file).parent
    elsewhere = "" if folder == Path.cwd().resolve() else f"-{_short(str(folder))}"
    told_apart = f"-{one_off[:6]}" if one_off else ""
    return Path(f"{name.stem}{elsewhere}.{named}{told_apart}{name.suffix or '.jsonl'}{zipped}")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:6]
