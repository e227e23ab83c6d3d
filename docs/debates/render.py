"""The notebook examples/debates.ipynb as a page: run on its recorded answers, its outputs put between its cells.

    python docs/debates/render.py [FOLDER]

Writes debates.md, and the pictures into debates/ beside it; without a folder also the outputs into the notebook itself. No key, no network
but the kernel's own on the loopback. Ids of runs and the paths of their reports are left out: they are other ones on every machine.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
NOTEBOOK = HERE.parents[1] / "examples" / "debates.ipynb"
HEAD = "*The notebook [examples/debates.ipynb](../examples/debates.ipynb) as it runs without a key; made by `docs/debates/render.py`.*\n\n"

_PASSING = (re.compile(r" · run [0-9a-f]{12}"), re.compile(r" · report: [^\s<]+"))
"""What is another one on every machine, or with every change of a step."""

_STYLE = re.compile(r"<style[^>]*>[^<]*</style>\s*")
_DRESS = re.compile(r' (?:border|class|style)="[^"<>]*"')


def run(notebook: Path, folder: Path) -> Any:
    """The notebook with its outputs, run in a folder as a reader would have it there."""
    cells = nbformat.read(notebook, as_version=4)
    told = dict(cells["metadata"])
    client = NotebookClient(
        cells,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    )
    executed = client.execute()
    executed["metadata"] = nbformat.from_dict(told)  # not the Python that happened to run it
    return executed


def keep(cells: Any, notebook: Path) -> None:
    """Write a notebook with its outputs, without what is another one on every machine or would be twice in it."""
    for cell in cells["cells"]:
        for output in cell.get("outputs", ()):
            if "text" in output:
                output["text"] = _steady(output["text"])
            for kind in output.get("data", {}).keys() & {"text/plain", "text/html"}:
                output["data"][kind] = _steady(output["data"][kind])
    nbformat.write(cells, notebook)


def render(cells: Any, folder: Path) -> Path:
    """Write debates.md and its pictures into a folder; the page's path."""
    (folder / "debates").mkdir(exist_ok=True)
    parts: list[str] = []
    for number, cell in enumerate(cells["cells"], start=1):
        if cell["cell_type"] == "markdown":
            parts.append(cell["source"])
        else:
            parts += [f"```python\n{cell['source']}\n```", *_outputs(cell["outputs"], number, folder)]
    page = folder / "debates.md"
    page.write_text(HEAD + "\n\n".join(parts) + "\n", encoding="utf-8")
    return page


def _outputs(outputs: Any, number: int, folder: Path) -> Iterator[str]:
    for output in outputs:
        if output["output_type"] == "stream":
            yield f"```\n{_steady(output['text']).rstrip()}\n```"
        elif "image/svg+xml" in output["data"]:
            yield _picture(output["data"], number, folder)
        elif "text/html" in output["data"]:
            yield _DRESS.sub("", _STYLE.sub("", _steady(output["data"]["text/html"]))).strip()
        else:
            yield f"```\n{_steady(output['data']['text/plain'])}\n```"


def _picture(data: Mapping[str, str], number: int, folder: Path) -> str:
    name = f"debates/cell-{number}.svg"
    (folder / name).write_text(data["image/svg+xml"], encoding="utf-8")
    return f"![{data['text/plain']}]({name})"


def _steady(text: str) -> str:
    for pattern in _PASSING:
        text = pattern.sub("", text)
    return text


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent
    with tempfile.TemporaryDirectory() as place:
        executed = run(NOTEBOOK, Path(place))
    print(render(executed, target))
    if len(sys.argv) == 1:
        keep(executed, NOTEBOOK)
        print(NOTEBOOK)
