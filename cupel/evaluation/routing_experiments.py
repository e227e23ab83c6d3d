"""Experiments on routing: where rows come from, the committed baseline, and a table of reference figures."""

from __future__ import annotations

import csv
import importlib.util
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from cupel.errors import InputError, SettingError
from cupel.evaluation.routing_evaluation import Figures, RoutingEvaluation
from cupel.files import read_text
from cupel.routing import RunRows

UNTRAINED_WITHIN = 0.001
TRAINED_WITHIN = 0.02
_UNTRAINED = ("random mix", "oracle", "cascade: ")
_TRAINED_CASCADES = ("cascade: all signals", "cascade: signals + text")
_TRAINED_FIGURES = ("ECE_platt", "ECE_iso")
_DECIDED = ("share", "quality", "dIBC")
"""Figures of a policy's own decisions: comparable where the policy decides by the same rule."""
LOWER_IS_BETTER = ("ECE", "Brier", "CPT50", "CPT80", "ECE_platt", "ECE_iso")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Rows to evaluate and how."""

    rows: RunRows
    learn: bool = True
    core: tuple[str, ...] = ()
    """Signals of "all signals, logistic" where the rows have more."""


@dataclass(frozen=True, kw_only=True)
class RoutingExperiment:
    """One TOML file or one table of rows."""

    title: str
    path: Path
    sources: list[Source] = field(default_factory=list)


def load_experiment(path: Path, *, data: Path | None = None) -> RoutingExperiment:
    """Rows from an experiment's TOML, or from a table of one's own runs (CSV, JSONL, Parquet).

    A TOML names a Python file of readers beside it (`readers = "sources.py"`) and one `[[pair]]` per set of
    rows with the reader's name and the folder under `data`. A table has the columns `weak_correct` and
    `strong_correct`, and may have doc_id, text, weak_cost_usd, strong_cost_usd, `signal:NAME` and `cost:NAME`.

    Raises:
        InputError: The file or the data is missing, or a row cannot be read.
        SettingError: The TOML names an unknown reader or lacks a key.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give an experiment (.toml) or rows (.csv, .jsonl, .parquet)")
    if path.suffix != ".toml":
        return RoutingExperiment(title=path.stem, path=path, sources=[Source(rows=read_rows(path))])
    try:
        table = tomllib.loads(read_text(path))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as TOML ({error})") from error
    if data is None:
        raise SettingError(f"{path}: needs the data it was written for; give --data or set CUPEL_BENCH_DATA")
    readers = _module(path.parent / table.get("readers", "sources.py"))
    sources = [_source(path, pair, readers, data) for pair in table.get("pair", ())]
    return RoutingExperiment(title=table.get("title", path.stem), path=path, sources=sources)


def _source(path: Path, pair: Mapping[str, Any], readers: ModuleType, data: Path) -> Source:
    reader = getattr(readers, str(pair.get("reader")), None)
    if reader is None or "name" not in pair:
        raise SettingError(
            f"{path}: pair {pair.get('name', '?')!r} names the reader {pair.get('reader')!r}, unknown"
        )
    folder = data / str(pair.get("folder", ""))
    if not folder.is_dir():
        raise InputError(
            f"{path}: {folder} does not exist; --data is the folder that holds {pair.get('folder')!r}"
        )
    rows = reader(folder, pair)
    return Source(rows=rows, learn=bool(pair.get("learn", True)), core=tuple(pair.get("core", ())))


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{path}: no such file; `readers` names the Python file that reads the data")
    name = f"_cupel_readers_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def read_rows(path: Path) -> RunRows:
    """Rows of one's own runs from a table.

    Raises:
        InputError: If it cannot be read, or lacks a column.
    """
    try:
        frame = _frame(path)
    except (OSError, ValueError) as error:  # what pandas and Arrow raise of a file's content are ValueErrors
        raise InputError(
            f"{path}: cannot be read as {path.suffix.lower()}: {getattr(error, 'strerror', None) or error}"
        ) from error
    for needed in ("weak_correct", "strong_correct"):
        if needed not in frame:
            raise InputError(f"{path}: no column {needed!r}; it has {', '.join(map(str, frame.columns))}")
    return RunRows.from_records(_records(frame), name=path.stem)


def _frame(path: Path) -> Any:
    import pandas as pd

    kind = path.suffix.lower()
    if kind == ".csv":
        return pd.read_csv(path)
    if kind in (".jsonl", ".ndjson"):
        return pd.read_json(path, lines=True, dtype={"doc_id": str})
    if kind == ".parquet":
        return pd.read_parquet(path)
    raise InputError(f"{path}: rows must be .csv, .jsonl or .parquet, not {kind or 'without a suffix'}")


def _records(frame: Any) -> Iterator[dict[str, Any]]:
    for row in frame.to_dict("records"):
        cells = {str(key): None if _missing(value) else value for key, value in row.items()}
        record = {
            key: value for key, value in cells.items() if ":" not in key and not isinstance(value, dict)
        }
        record["signals"] = _prefix(cells, "signal:") or cells.get("signals") or {}
        record["signal_costs"] = _prefix(cells, "cost:") or cells.get("signal_costs") or {}
        yield record


def _prefix(row: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {key.removeprefix(prefix): value for key, value in row.items() if key.startswith(prefix)}


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def to_baseline(evaluations: Sequence[RoutingEvaluation]) -> dict[str, Any]:
    """Figures only, rounded: what is committed. No row of the data is in it."""
    return {
        each.name: {
            "n": each.n,
            "weak": round(each.weak, 4),
            "strong": round(each.strong, 4),
            "policies": {line.method: _round(line.figures) for line in each.lines if line.figures},
        }
        for each in evaluations
    }


def _round(figures: Figures) -> Figures:
    return {key: None if value is None else round(value, 4) for key, value in sorted(figures.items())}


def regressions(
    evaluations: Sequence[RoutingEvaluation], baseline: Mapping[str, Any], *, within: float = TRAINED_WITHIN
) -> list[str]:
    """Sentences about figures that are worse than the committed ones by more than `within`."""
    sentences = []
    for each in evaluations:
        committed = baseline.get(each.name, {}).get("policies", {})
        for line in each.lines:
            for key in ("APGR", "AUROC", "sav95", "ECE"):
                before, now = committed.get(line.method, {}).get(key), line.figures.get(key)
                if before is None:
                    continue
                if now is None or (now - before) * (-1 if key in LOWER_IS_BETTER else 1) < -within:
                    sentences.append(f"{each.name} · {line.method}: {key} was {before:.3f} and is {now}")
    return sentences


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One figure beside the published or committed one."""

    name: str
    method: str
    figure: str
    trained: bool
    reference: float
    measured: float | None
    """Mean over the fold seeds."""
    lowest: float
    highest: float

    @property
    def reproduced(self) -> bool:
        """Untrained within .001, trained within .02."""
        return self.measured is not None and abs(self.measured - self.reference) <= self.allowed + 1e-9

    @property
    def among_seeds(self) -> bool:
        """Whether the reference, one seed itself, is no further than that from the range over the seeds."""
        return self.lowest - self.allowed <= self.reference <= self.highest + self.allowed

    @property
    def not_worse(self) -> bool:
        """Reproduced, or better than the reference."""
        if self.measured is None or self.reproduced:
            return self.reproduced
        return (self.measured > self.reference) != (self.figure in LOWER_IS_BETTER)

    @property
    def allowed(self) -> float:
        """Largest difference that counts as the same."""
        return TRAINED_WITHIN if self.trained else UNTRAINED_WITHIN


def compare_with_reference(evaluations: Sequence[RoutingEvaluation], path: Path) -> list[Compared]:
    """Every figure of a reference table (columns: set, method, then figures) that was measured here too."""
    lines = {(each.name, line.method): line for each in evaluations for line in each.lines}
    compared = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            line = lines.get((row["set"], row["method"]))
            if line is None:
                continue
            compared += [
                Compared(
                    name=row["set"],
                    method=row["method"],
                    figure=key,
                    trained=_is_trained(row["method"], key),
                    reference=float(value),
                    measured=line.figures[key],
                    lowest=line.ranges.get(key, (np.inf, -np.inf))[0],
                    highest=line.ranges.get(key, (np.inf, -np.inf))[1],
                )
                for key, value in row.items()
                if key in line.figures
                and value
                and (key not in _DECIDED or row["method"].startswith("AutoMix"))
            ]
    return compared


def _is_trained(method: str, figure: str) -> bool:
    if figure in _TRAINED_FIGURES or method.startswith(_TRAINED_CASCADES):
        return True
    return not method.startswith(_UNTRAINED)
