"""A graph of one's own with the deployed one as its step: `python examples/clients/remote_graph.py URL`."""

import asyncio
import os
import sys
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.pregel.remote import RemoteGraph
from typing_extensions import TypedDict

TEXT = "Madam President, we must build more homes. Rents rose by 40 % in ten years."


class State(TypedDict, total=False):
    """What goes in, and what comes of it."""

    text: str
    task: str
    status: str
    record: dict[str, Any] | None


async def main(url: str) -> None:
    """START → enrich, at the server → END."""
    enrich = RemoteGraph("enrich", url=url, api_key=os.environ.get("CUPEL_SERVER_KEY"))
    builder = StateGraph(State)
    builder.add_node("enrich", enrich)
    builder.add_edge(START, "enrich")
    builder.add_edge("enrich", END)
    done = await builder.compile().ainvoke({"text": TEXT, "task": "arguments"})
    print(done["status"], done["record"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
