"""One document through a deployed server, by LangGraph's SDK: `python examples/clients/sdk.py URL`."""

import asyncio
import os
import sys

from langgraph_sdk import get_client

TEXT = "Madam President, we must build more homes. Rents rose by 40 % in ten years."


async def main(url: str) -> None:
    """A thread, a run on it, and what was asked of which model."""
    key = os.environ.get("CUPEL_SERVER_KEY")  # sent as `x-api-key`; None sends none, whatever else is set
    async with get_client(url=url, api_key=key) as client:
        thread = await client.threads.create()
        document = {"text": TEXT, "task": "arguments", "doc_id": "speech-1"}
        outcome = await client.runs.wait(thread["thread_id"], "enrich", input=document)
        print(outcome["status"], outcome["record"], outcome["reasons"])
        for call in await client.http.get(f"/cupel/threads/{thread['thread_id']}/calls"):
            print(call["kind"], call["model"], call["cost_usd"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
