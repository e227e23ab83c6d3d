"""`cupel evaluate-routing` on rows of one's own and on experiments."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from cupel.cli.commands.evaluate_routing import evaluate_routing
from cupel.errors import InputError, SettingError
from cupel.evaluation.routing_experiments import load_experiment

app = typer.Typer()
app.command()(evaluate_routing)


def invoke(*arguments):
    """Run the command; what it raises on purpose is passed on."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(autouse=True)
def _no_data_folder(monkeypatch):
    """Nothing of the machine's environment reaches the command."""
    monkeypatch.delenv("CUPEL_BENCH_DATA", raising=False)


@pytest.fixture
def frame():
    """Rows as a run log gives them, with a signal missing here and there."""
    rng = np.random.default_rng(0)
    weak = rng.random(120) < 0.6
    check = np.where(rng.random(120) < 0.1, np.nan, np.clip(0.6 * weak + 0.4 * rng.random(120), 0, 1))
    return pd.DataFrame(
        {
            "doc_id": [f"d{i}" for i in range(120)],
            "text": [f"{'plain' if w else 'hard'} words {i % 5}" for i, w in enumerate(weak)],
            "weak_correct": weak,
            "strong_correct": rng.random(120) < 0.95,
            "weak_cost_usd": 0.001,
            "strong_cost_usd": 0.01,
            "signal:check": check,
            "cost:check": 0.001,
        }
    )


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_rows_of_ones_own_give_one_json_object(tmp_path, frame, suffix):
    """Every format gives the same figures, baselines included, and nothing else is on stdout."""
    path = tmp_path / f"log.{suffix}"
    {
        "csv": lambda: frame.to_csv(path, index=False),
        "jsonl": lambda: frame.to_json(path, orient="records", lines=True),
        "parquet": lambda: frame.to_parquet(path),
    }[suffix]()
    result = invoke(path, "--json", "--no-learn")
    found = json.loads(result.stdout)["log"]

    assert result.exit_code == 0
    assert found["n"] == 120
    assert found["policies"]["random mix"]["APGR"] == 0.5
    assert found["policies"]["cascade: check"]["APGR"] > 0.6


def test_a_table_and_a_page_are_written(tmp_path, frame):
    """Table and page also have the policies that are trained."""
    frame.to_csv(tmp_path / "log.csv", index=False)
    result = invoke(tmp_path / "log.csv", "--html", tmp_path / "page.html")

    assert "random mix" in result.stdout
    assert "text router" in result.stdout
    assert "Reliability of" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_figure_that_got_worse_ends_with_one(tmp_path, frame):
    """A baseline is saved, the signal spoilt, and the comparison ends with exit code 1."""
    path = tmp_path / "log.csv"
    frame.to_csv(path, index=False)
    invoke(path, "--no-learn", "--baseline", tmp_path, "--save-baseline")
    same = invoke(path, "--no-learn", "--baseline", tmp_path)
    frame["signal:check"] = frame["signal:check"].to_numpy()[::-1]
    frame.to_csv(path, index=False)
    worse = invoke(path, "--no-learn", "--baseline", tmp_path)

    assert same.exit_code == 0
    assert worse.exit_code == 1
    assert "cascade: check: APGR was" in worse.stdout


def test_a_reference_table_is_compared(tmp_path, frame):
    """Random mixing is reproduced; an invented figure is not."""
    frame.to_csv(tmp_path / "log.csv", index=False)
    (tmp_path / "ref.csv").write_text(
        "set,method,APGR\nlog,random mix,0.5\nlog,cascade: check,1.7\n", encoding="utf-8"
    )
    result = invoke(tmp_path / "log.csv", "--no-learn", "--reference", tmp_path / "ref.csv")

    assert result.exit_code == 1
    assert "1 of 2 reproduced" in result.stdout
    assert "cascade: check: APGR 1.7000 →" in result.stdout


@pytest.mark.parametrize(
    ("name", "content", "error", "text"),
    [
        ("none.csv", None, InputError, "no such file"),
        ("log.xlsx", "x", InputError, "must be .csv, .jsonl or .parquet"),
        ("log.csv", "a,b\n1,2\n", InputError, "no column 'weak_correct'; it has a, b"),
        ("log.csv", "weak_correct,strong_correct\n1,\n", InputError, "has no 'strong_correct'"),
        ("log.csv", "weak_correct,strong_correct\n", InputError, "no rows"),
        ("x.toml", "[[pair]]\nname='a'\nreader='b'\n", SettingError, "CUPEL_BENCH_DATA"),
    ],
)
def test_bad_sources_are_refused(tmp_path, name, content, error, text):
    """A source that cannot be read is named with its value and the next step."""
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(error, match=text):
        invoke(tmp_path / name)


def test_an_experiment_reads_its_data_through_its_reader(tmp_path):
    """The reader is a function of a Python file beside the TOML; an unknown one or a missing folder is named."""
    (tmp_path / "readers.py").write_text(
        "from cupel.routing import RunRows\n"
        "def two(folder, pair):\n"
        "    return RunRows.from_columns(name=pair['name'], weak=[0, 1], strong=[1, 1])\n",
        encoding="utf-8",
    )
    head = 'readers = "readers.py"\ntitle = "T"\n[[pair]]\nname = "a"\n'
    path = tmp_path / "x.toml"
    path.write_text(f'{head}folder = "."\nreader = "two"\nlearn = false\n', encoding="utf-8")
    found = load_experiment(path, data=tmp_path)

    assert (found.title, len(found.sources[0].rows), found.sources[0].learn) == ("T", 2, False)
    path.write_text(f'{head}folder = "."\nreader = "three"\n', encoding="utf-8")
    with pytest.raises(SettingError, match="names the reader 'three', unknown"):
        load_experiment(path, data=tmp_path)
    path.write_text(f'{head}folder = "gone"\nreader = "two"\n', encoding="utf-8")
    with pytest.raises(InputError, match="does not exist"):
        load_experiment(path, data=tmp_path)


def test_the_command_runs_as_a_module_and_without_a_traceback(tmp_path):
    """A missing file gives exit code 2 and one line."""
    done = subprocess.run(
        [sys.executable, "-m", "cupel.cli.commands.evaluate_routing", str(tmp_path / "none.csv")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "no such file" in done.stderr
    assert "Traceback" not in done.stderr
