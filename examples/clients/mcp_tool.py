"""A deployed graph as a tool of the Model Context Protocol: `python examples/clients/mcp_tool.py URL` (`pip install mcp`)."""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

TEXT = "Madam President, we must build more homes. Rents rose by 40 % in ten years."


async def main(url: str) -> None:
    """The tools there are, and one call."""
    headers = {"x-api-key": os.environ.get("CUPEL_SERVER_KEY", "")}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=300) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        for tool in (await client.list_tools()).tools:
            print(tool.name, "-", tool.description)
        answer = await client.call_tool("enrich", {"text": TEXT, "task": "arguments"})
        told = json.loads(answer.content[0].text)
        print(told["status"], told["record"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
