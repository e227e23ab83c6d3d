"""The project's folder: its graphs load whatever other threads do meanwhile."""

from __future__ import annotations

import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

from cupel.project import Project, load_graph


@pytest.fixture
def project(tmp_path):
    """A project whose graph does nothing."""
    for name in ("graphs", "nodes", "prompts"):
        (tmp_path / name).mkdir()
    (tmp_path / "langgraph.json").write_text('{"graphs": {"enrich": "./graphs/enrich.py:graph"}}')
    (tmp_path / "nodes" / "__init__.py").touch()
    (tmp_path / "nodes" / "one.py").write_text("class Graph:\n    async def ainvoke(self): ...\n")
    (tmp_path / "graphs" / "enrich.py").write_text("from nodes.one import Graph\n\ngraph = Graph()\n")
    return Project(tmp_path, tmp_path / ".cupel")


@pytest.fixture
def importing():
    """A thread that imports and forgets modules for as long as the test goes on."""
    interval, done = sys.getswitchinterval(), threading.Event()

    def keep_on() -> None:
        number = 0
        while not done.is_set():
            number += 1
            sys.modules[f"made_up_{number}"] = types.ModuleType("made_up")
            sys.modules.pop(f"made_up_{number - 40}", None)

    thread = threading.Thread(target=keep_on)
    sys.setswitchinterval(1e-6)
    thread.start()
    yield
    done.set()
    thread.join()
    sys.setswitchinterval(interval)
    for name in [name for name in sys.modules if name.startswith("made_up_")]:
        del sys.modules[name]


def test_a_graph_loads_while_other_threads_import(project, importing):
    """What is imported elsewhere meanwhile disturbs nothing, and the names it had on loan are given back."""
    loaded = {type(load_graph(project)).__name__ for _ in range(60)}

    assert loaded == {"Graph"}
    assert "nodes.one" not in sys.modules


def test_several_threads_may_load_graphs_at_once(project):
    """Each gets its graph, and none takes another's modules away."""
    with ThreadPoolExecutor(8) as pool:
        loaded = {type(graph).__name__ for graph in pool.map(lambda _: load_graph(project), range(32))}

    assert loaded == {"Graph"}
