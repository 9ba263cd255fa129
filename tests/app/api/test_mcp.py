"""The official MCP client against a running server, and over a pipe."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from rag_assets.platform.platform import Platform
from tests.app.api.conftest import new_key
from tests.app.api.running import Service
from tests.app.commands import COMMAND
from tests.query.openai_server import OpenAIServer, Reply

T = TypeVar("T")

TOOLS = {"search", "ask", "get_document", "list_releases"}
QUESTION = "Where does the marmalade band start?"


def over_http(service: Service, key: str, work: Callable[[Client], Awaitable[T]]) -> T:
    """Do something with a client that shows a key."""

    async def run() -> T:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with httpx2.AsyncClient(headers=headers, timeout=120) as http:
            transport = streamable_http_client(f"{service.url}/mcp", http_client=http)
            async with Client(transport) as client:
                return await work(client)

    return asyncio.run(run())


async def called(client: Client, tool: str, **arguments: Any) -> Any:
    """The structured result of a tool."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


def test_the_tools_answer_with_sources(service: Service, live: int) -> None:
    async def work(client: Client) -> dict[str, Any]:
        listed = await client.list_tools()
        return {
            "tools": listed.tools,
            "search": await called(client, "search", query="hotel in London", limit=2),
            "ask": await called(client, "ask", question="How much may a room in London cost?"),
            "part": await called(client, "get_document", document_id="docs/travel.md", length=15),
            "releases": await called(client, "list_releases"),
            "older": await called(client, "list_releases", before=live + 1, limit=1),
        }

    found = over_http(service, "", work)
    assert {tool.name for tool in found["tools"]} == TOOLS
    for tool in found["tools"]:
        assert tool.description
        assert tool.output_schema
        assert tool.annotations.read_only_hint
        assert "ctx" not in tool.input_schema["properties"]
    assert found["search"]["passages"][0]["document_id"] == "docs/travel.md"
    assert found["ask"]["abstained"] is False
    assert found["ask"]["weak_evidence"] is False
    assert found["ask"]["sources"]
    assert found["ask"]["release"]["id"] == live
    assert found["part"]["text"] == "# Travel policy"
    assert found["part"]["length"] > 100
    assert found["releases"]["live"] == live
    assert [item["id"] for item in found["older"]["releases"]] == [live]
    assert found["older"]["next"] == (live if live > 1 else None)


def test_an_agent_learns_that_evidence_is_weak(service: Service, llm: OpenAIServer) -> None:
    llm.default = Reply(status=500)  # sentences are quoted instead

    async def work(client: Client) -> Any:
        return await called(client, "ask", question="Who won the chess tournament in 1972?")

    found = over_http(service, "", work)
    assert found["weak_evidence"] is True
    assert found["abstained"] is False


def test_tools_have_the_rights_of_who_calls_them(guarded: Service, platform: Platform) -> None:
    async def work(client: Client) -> dict[str, Any]:
        document = await client.call_tool("get_document", {"document_id": "docs/salaries.md"})
        return {
            "said": str(await called(client, "ask", question=QUESTION))
            + str(await called(client, "search", query="marmalade band")),
            "document": document,
        }

    nobody = over_http(guarded, new_key(platform), work)
    assert "81,234" not in nobody["said"]
    assert nobody["document"].is_error
    assert "81,234" not in str(nobody["document"])
    member = over_http(guarded, new_key(platform, groups=("hr",)), work)
    assert "81,234" in member["said"]
    assert not member["document"].is_error


def test_without_a_key_there_is_no_connection(guarded: Service) -> None:
    async def work(client: Client) -> None:
        await client.list_tools()

    for key in ("", "rag_made_up"):
        with pytest.raises(ExceptionGroup) as refused:
            over_http(guarded, key, work)
        assert refused.group_contains(MCPError)


def test_what_cannot_be_done_is_told_to_the_agent(service: Service) -> None:
    async def work(client: Client) -> list[Any]:
        return [
            await client.call_tool("ask", {"question": "  "}),
            await client.call_tool("search", {"query": "x", "filter": "source ="}),
            await client.call_tool("search", {"query": "x", "release": 99}),
            await client.call_tool("get_document", {"document_id": "docs/none.md"}),
            await client.call_tool("search", {}),
            await client.call_tool("no_such_tool", {}),
        ]

    results = over_http(service, "", work)
    assert all(result.is_error for result in results)
    words = [result.content[0].text for result in results]
    assert "The question is empty" in words[0]
    assert "There is no release 99" in words[2]
    assert "There is no document" in words[3]


def test_over_a_pipe_for_an_agent_on_this_machine(deployment: Path) -> None:
    async def run(*options: str) -> str:
        command, *arguments = [*COMMAND, "mcp", *options]
        server = StdioServerParameters(command=command, args=arguments, cwd=deployment)
        async with Client(stdio_client(server, errlog=sys.stderr)) as client:
            return str(await called(client, "search", query="marmalade band"))

    assert "81,234" not in asyncio.run(run())
    assert "81,234" in asyncio.run(run("--groups", "hr"))
