"""An agent that goes away in mid-question: the language model stops, and the thread is free."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection

import httpx
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from .asking import QUESTION, Caller, eventually, measured
from .servers import LLM
from .test_llm import HANGS, LONG_AFTER_SECONDS

HEADERS = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
}


def ask_and_break_off(caller: Caller, llm: LLM, question: str) -> None:
    """A client that dies: it shows no version, as those do that know the protocol of 2025."""
    params = {"name": "ask", "arguments": {"question": question}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    asked = len(llm.requests)
    address = httpx.URL(caller.service.url)
    with closing(HTTPConnection(address.host, address.port or 80)) as connection:
        connection.request("POST", "/mcp", json.dumps(body), HEADERS | caller.service.headers)
        eventually(lambda: len(llm.requests) > asked, "a question at the LLM")


def ask_and_give_up(caller: Caller, llm: LLM, question: str) -> None:
    """The official client, whose user does not want to wait any more."""
    asked = len(llm.requests)

    async def run() -> None:
        async with httpx2.AsyncClient(headers=caller.service.headers, timeout=120) as http:
            transport = streamable_http_client(f"{caller.service.url}/mcp", http_client=http)
            async with Client(transport) as client:
                asking = asyncio.create_task(client.call_tool("ask", {"question": question}))
                await asyncio.to_thread(
                    eventually, lambda: len(llm.requests) > asked, "a question at the LLM"
                )
                asking.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asking

    asyncio.run(run())


@pytest.mark.parametrize("leave", [ask_and_break_off, ask_and_give_up])
def test_an_agent_that_leaves_holds_no_thread(
    caller: Caller, llm: LLM, leave: Callable[[Caller, LLM, str], None]
) -> None:
    llm.reset(default=HANGS)
    # the service answers two questions at a time, and one question of two callers once
    for please in (" Please.", " Please tell me."):
        leave(caller, llm, QUESTION + please)
    left = time.monotonic()
    assert len(llm.requests) == 2
    eventually(lambda: caller.ask(answerer="extractive").status == 200, "a free thread")
    seconds = time.monotonic() - left
    measured(f"LLM: hangs, agents left ({leave.__name__}), a thread is free", seconds)
    assert seconds < LONG_AFTER_SECONDS
    assert llm.cut_off.wait(LONG_AFTER_SECONDS)
    eventually(lambda: caller.number("ragline_questions_in_progress") == 0, "nobody asking")
