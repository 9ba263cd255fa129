"""A chat completion as a span, by the GenAI conventions of OpenTelemetry."""

import json
from typing import Any
from urllib.parse import urlsplit

from rag_assets.platform.telemetry import Attribute, Step, shows_content

from .completion import Completion


def chat_attributes(body: dict[str, Any], url: str) -> dict[str, Attribute]:
    """What is known before the server has answered.

    Args:
        body: of the request.
        url: of the server, without a password.
    """
    address = urlsplit(url)
    attributes: dict[str, Attribute] = {
        "gen_ai.operation.name": "chat",
        # the convention names the API that is spoken; who stands behind it is not known
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": str(body["model"]),
        "gen_ai.request.max_tokens": int(body["max_tokens"]),
        "gen_ai.request.temperature": float(body["temperature"]),
        "server.address": address.hostname or "",
    }
    if address.port:
        attributes["server.port"] = address.port
    return attributes


def asked(step: Step, body: dict[str, Any]) -> None:
    """The prompt, where texts are wanted."""
    if shows_content():
        messages = [
            {"role": item["role"], "parts": [{"type": "text", "content": item["content"]}]}
            for item in body["messages"]
        ]
        step.set({"gen_ai.input.messages": json.dumps(messages, ensure_ascii=False)})


def completed(step: Step, completion: Completion) -> None:
    """What the server said of its answer; the answer itself where texts are wanted."""
    step.set(
        {
            "gen_ai.response.model": completion.model,
            "gen_ai.response.finish_reasons": [completion.finish_reason],
            "gen_ai.usage.input_tokens": completion.prompt_tokens,
            "gen_ai.usage.output_tokens": completion.completion_tokens,
        }
    )
    if shows_content():
        parts = [{"type": "text", "content": completion.text}]
        said = [{"role": "assistant", "parts": parts, "finish_reason": completion.finish_reason}]
        step.set({"gen_ai.output.messages": json.dumps(said, ensure_ascii=False)})
