"""The command line prints what rooms below it return."""

import re

from tests.conftest import ROOT


def test_no_command_queries_the_run_log_or_computes_a_statistic():
    """SQL and statistics have rooms of their own, from which Python asks for the same values."""
    imports = re.compile(r"^\s*(?:from|import) (sqlalchemy|cupel\.stats|numpy|pandas|scipy)\b", re.MULTILINE)
    paths = sorted((ROOT / "cupel" / "cli").rglob("*.py"))

    assert len(paths) > 20
    assert {
        path.name: imports.findall(path.read_text()) for path in paths if imports.search(path.read_text())
    } == {}
