"""Starting sooner: what is put off is there as soon as it is asked for."""

import gc
import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from cupel.cli import _start as starting
from cupel.cli._start import starting_soon
from tests.conftest import ROOT


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that is put off, with a submodule; its list notes that its own code ran."""
    folder = tmp_path / "put_off"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "import builtins\nbuiltins.put_off_ran.append(1)\nfrom put_off.part import VALUE\n"
    )
    (folder / "part.py").write_text("VALUE = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(starting, "LATER", frozenset({"put_off"}))
    monkeypatch.setattr("builtins.put_off_ran", [], raising=False)
    yield "put_off"
    for name in ("put_off", "put_off.part"):
        sys.modules.pop(name, None)


def ran():
    import builtins

    return builtins.put_off_ran


def test_a_package_put_off_runs_when_something_in_it_is_asked_for(package):
    """It runs once, also after the start is over."""
    with starting_soon():
        module = importlib.import_module(package)
        assert not ran()

    assert module.VALUE == 7
    assert module.VALUE == 7
    assert ran() == [1]


def test_its_submodules_are_imported_without_it(package):
    """They are what is used."""
    with starting_soon():
        part = importlib.import_module(f"{package}.part")

    assert part.VALUE == 7
    assert not ran()


def test_a_name_it_has_not_is_an_attribute_error(package):
    """A name the module has not is an attribute error and causes no second loading."""
    with starting_soon():
        module = importlib.import_module(package)

    with pytest.raises(AttributeError):
        module.NOTHING  # noqa: B018  # asking is the test
    assert ran() == [1]


def test_nothing_of_it_is_left_behind(package):
    """The import system and the collector are as they were, whatever happens inside."""
    before = [*sys.meta_path], "httpx._main" in sys.modules, gc.get_threshold()

    with pytest.raises(KeyError), starting_soon():
        raise KeyError

    assert ([*sys.meta_path], "httpx._main" in sys.modules, gc.get_threshold()) == before


def test_the_real_packages_bear_it():
    """They are tried in a process of its own, since here they are loaded already."""
    code = (
        "import sys\n"
        "from cupel.cli._start import starting_soon\n"
        "with starting_soon():\n"
        "    import httpx, langsmith.client\n"
        "    import cupel.cli.run, cupel.cascade.steps, cupel.cascade.verify, cupel.models.openai_chat\n"
        "unused = {'openai.types.batch', 'openai.types.responses.response', 'langsmith.types.agent', 'pygments',\n"
        "    'langchain_openai.embeddings.base', 'langgraph_sdk.client', 'sqlalchemy.dialects.postgresql.base',\n"
        "    'numpy', 'pandas', 'pyarrow', 'genai_prices', 'alembic', 'cupel.report', 'cupel.runs.planning'}\n"
        "assert not unused & set(sys.modules), unused & set(sys.modules)\n"
        "from openai.types import Batch\n"
        "from openai.types.responses import Response\n"
        "from langsmith.types import *\n"
        "assert (Batch.__name__, Response.__name__, Agent.__name__) == ('Batch', 'Response', 'Agent')\n"
        "from httpx import main\n"
        "from langchain_openai import AzureChatOpenAI, ChatOpenAI\n"
        "assert issubclass(cupel.models.openai_chat.OpenAIChat, ChatOpenAI)\n"
        "from langgraph_sdk import get_client\n"
        "from sqlalchemy.dialects import postgresql\n"
        "import sqlalchemy\n"
        "assert postgresql.insert(sqlalchemy.table('t')).on_conflict_do_nothing() is not None\n"
        "from cupel.routing.confidence import Calibration\n"
        "from cupel.routing import ThresholdCascade, certify_cascade\n"
    )

    told = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert told.returncode == 0, told.stderr


def test_threads_that_ask_at_once_all_get_what_is_there(tmp_path, monkeypatch):
    """One loads the package, the others wait for the whole of it."""
    (tmp_path / "put_off_slowly.py").write_text("import time\nEARLY = 1\ntime.sleep(0.05)\nLATE = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(starting, "LATER", frozenset({"put_off_slowly"}))
    with starting_soon():
        module = importlib.import_module("put_off_slowly")

    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda _: module.LATE, range(8)))

    sys.modules.pop("put_off_slowly")
    assert values == [2] * 8


CROSSED = """
import sys, threading, time
from cupel.cli import _start
_start.LATER = frozenset({"first", "second"})
failed, in_part, loading = [], threading.Event(), threading.Event()

def do(work):
    try:
        work()
    except BaseException as error:
        failed.append(repr(error))

def import_part():
    import first.part

def ask():
    in_part.wait()
    loading.set()
    import first
    assert first.VALUE == 7

with _start.starting_soon():
    threads = [threading.Thread(target=do, args=(work,), daemon=True) for work in (import_part, ask)]
    sys.modules["meeting"] = type(sys)("meeting")
    sys.modules["meeting"].wait = lambda: (in_part.set(), loading.wait(), time.sleep(0.1))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
print(failed, [thread.is_alive() for thread in threads])
"""


@pytest.mark.parametrize(
    "needs",
    [
        pytest.param("from second import OTHER", id="another package put off"),
        pytest.param("from first import beside", id="a neighbour by way of the package itself"),
    ],
)
def test_a_thread_in_a_submodule_and_one_that_loads_the_package_never_wait_for_each_other(tmp_path, needs):
    """One is in the middle of a submodule and needs what is put off, the other loads the package that needs the submodule."""
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "__init__.py").write_text("from first.part import VALUE\n")
    (tmp_path / "first" / "part.py").write_text(f"VALUE = 7\nimport meeting\nmeeting.wait()\n{needs}\n")
    (tmp_path / "first" / "beside.py").write_text("")
    (tmp_path / "second.py").write_text("OTHER = 1\n")
    told = subprocess.run(
        [sys.executable, "-c", CROSSED], check=False, capture_output=True, text=True, cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}"}, timeout=60,
    )  # fmt: skip

    assert told.stdout.strip() == "[] [False, False]", told.stderr
