"""A running server, observed: what the collector got, what Prometheus reads, what the log says."""

import json
import re
import time
import uuid
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rag_app.telemetry import metrics, state
from tests.app.api.running import Service
from tests.app.telemetry.conftest import SECRETS
from tests.app.telemetry.otlp_receiver import Receiver
from tests.query.openai_server import OpenAIServer, Reply

# it is found in the question, in the answer and in the document
QUESTION = "How much may a room in London cost? My address is jane.doe@example.com."
CALLER_SPAN = "b7ad6b7169203331"
SERVER, CLIENT = 2, 3


def lines(service: Service) -> list[dict[str, Any]]:
    """The log, every line of which is an object."""
    return [json.loads(line) for line in service.log.read_text(encoding="utf-8").splitlines()]


def line_of(service: Service, request_id: str) -> dict[str, Any]:
    """The line of one request, which is written when its last byte has been sent."""
    for _ in range(200):
        found = [
            line
            for line in lines(service)
            if line.get("request_id") == request_id and line["logger"] == "ragline.access"
        ]
        if found:
            return found[-1]
        time.sleep(0.05)
    raise AssertionError(f"no line of request {request_id}")


def numbers(service: Service) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    with service.client() as client:
        response = client.get("/metrics")
    assert response.status_code == 200
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def asked(service: Service, trace_id: str = "", **body: Any) -> Any:
    parent = f"00-{trace_id or uuid.uuid4().hex}-{CALLER_SPAN}-01"
    with service.client() as client:
        response = client.post(
            "/v1/ask", json={"question": QUESTION, **body}, headers={"traceparent": parent}
        )
    assert response.status_code == 200, response.text
    return response


def test_a_question_is_one_trace_from_http_to_the_llm(
    service: Service, collector: Receiver, llm: OpenAIServer
) -> None:
    llm.reset(Reply(tokens=("Up to 165 pounds ", "[1].")))
    trace_id = uuid.uuid4().hex
    answer = asked(service, trace_id, filter='source = "docs"').json()
    spans = collector.whole_trace(trace_id, "POST /v1/ask")
    http = spans["POST /v1/ask"]
    assert (http.trace_id, http.parent_id) == (trace_id, CALLER_SPAN)
    assert http.kind == SERVER
    assert http.attributes["http.route"] == "/v1/ask"
    assert http.attributes["http.response.status_code"] == 200
    assert http.attributes["ragline.answer_id"] == answer["answer_id"]
    assert http.resource["service.name"] == "ragline"
    parents = {
        "look into cache": "POST /v1/ask",
        "answer question": "POST /v1/ask",
        "retrieve": "answer question",
        "encode question": "retrieve",
        "search vectors": "retrieve",
        "search full text": "retrieve",
        "chat tiny": "answer question",
    }
    for name, parent in parents.items():
        assert spans[name].parent_id == spans[parent].span_id, name
        assert spans[name].trace_id == http.trace_id
    chat = spans["chat tiny"]
    assert chat.kind == CLIENT
    assert {name: chat.attributes[name] for name in chat.attributes if "gen_ai" in name} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "tiny",
        "gen_ai.request.max_tokens": 512,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.response.model": "tiny",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 3,
    }
    assert chat.attributes["server.port"] == llm.port
    assert spans["search vectors"].attributes["db.system.name"] == "lancedb"
    # the LLM server is told which span asks it
    assert llm.headers[-1]["traceparent"].split("-")[1:3] == [chat.trace_id, chat.span_id]
    assert collector.headers["x-collector-key"] == "sk-of-the-collector"


def test_no_text_gets_into_a_trace(
    service: Service, collector: Receiver, llm: OpenAIServer
) -> None:
    llm.reset(Reply(tokens=("Up to 165 pounds ", "[1].")))
    with service.client() as client:
        client.get("/v1/answers/jane.doe@example.com/lineage?secret=travel.md")
    trace_id = uuid.uuid4().hex
    asked(service, trace_id, limit=3)
    collector.wait_for("GET /v1/answers/{answer_id}/lineage")
    collector.whole_trace(trace_id, "POST /v1/ask")
    whole = b"".join(collector.raw)
    for text in (b"jane.doe", b"room in London", b"165 pounds", b"travel.md"):
        assert text not in whole


def test_a_stream_and_a_failure_are_traced_too(
    service: Service, collector: Receiver, llm: OpenAIServer
) -> None:
    llm.reset(Reply(status=500))
    trace_id = uuid.uuid4().hex
    asked(service, trace_id, stream=True, limit=4)
    spans = collector.whole_trace(trace_id, "POST /v1/ask")
    assert spans["chat tiny"].failed
    assert spans["chat tiny"].attributes["error.type"] == "server_error"
    assert not spans["answer question"].failed
    assert spans["answer question"].attributes["ragline.degraded"] == "llm_server_error"
    assert spans["chat tiny"].parent_id == spans["answer question"].span_id


def test_numbers_of_questions_tokens_cache_and_release(service: Service, llm: OpenAIServer) -> None:
    llm.reset(Reply(tokens=("Up to 165 pounds ", "[1].")), Reply(status=500))
    before = numbers(service)

    def more(name: str, **labels: str) -> float:
        key = tuple(sorted(labels.items()))
        return now[name].get(key, 0.0) - before.get(name, {}).get(key, 0.0)

    asked(service, limit=5)
    asked(service, limit=5)
    asked(service, limit=6)
    with service.client() as client:
        client.get("/v1/answers/nobody%40example.com/lineage")
        client.get("/no/such/path/jane.doe@example.com")
    now = numbers(service)
    assert more("ragline_http_requests_total", route="/v1/ask", method="POST", status="200") == 3
    assert more("ragline_questions_total", outcome="answered", answerer="llm") == 2
    assert more("ragline_questions_total", outcome="answered", answerer="extractive") == 1
    assert more("ragline_tokens_total", kind="prompt") == 11
    assert more("ragline_tokens_total", kind="completion") == 3
    assert more("ragline_degradations_total", kind="llm_server_error") == 1
    assert more("ragline_cache_requests_total", cache="answers", result="hit") == 1
    assert more("ragline_cache_requests_total", cache="answers", result="miss") == 2
    assert more("ragline_answer_seconds_count", cache="hit") == 1
    assert more("ragline_answer_seconds_count", cache="miss") == 2
    assert more("ragline_model_seconds_count") == 2
    assert more("ragline_retrieval_seconds_count") >= 2
    assert more("ragline_http_requests_total", route="other", method="GET", status="404") == 1
    assert now["ragline_release_id"][()] == 1
    assert now["ragline_release_age_seconds"][()] > 0
    assert now["ragline_documents"][(("state", "indexed"),)] == 1
    assert now["ragline_documents"][(("state", "quarantined"),)] == 0
    assert now["ragline_source_lag_seconds"][(("source", "docs"),)] == 0
    assert now["ragline_source_pending"][(("source", "docs"),)] == 0
    assert now["ragline_platform_readable"][()] == 1
    with service.client() as client:
        text = client.get("/metrics").text
    assert not re.search(r"jane|travel|nobody|London", text)
    declared = {*metrics.DECLARED, *state.DECLARED}
    assert {family.name for family in text_string_to_metric_families(text)} <= {
        name.removesuffix("_total") for name in declared
    } | declared


def test_a_line_of_the_log_has_the_ids_and_nothing_personal(
    service: Service, llm: OpenAIServer
) -> None:
    llm.reset(Reply(tokens=("Up to 165 pounds ", "[1].")), Reply(status=500))
    trace_id = uuid.uuid4().hex
    response = asked(service, trace_id, limit=7)
    line = line_of(service, response.headers["X-Request-ID"])
    assert line["answer_id"] == response.json()["answer_id"]
    assert line["trace_id"] == trace_id
    assert (line["route"], line["method"], line["status"]) == ("/v1/ask", "POST", 200)
    assert line["duration_ms"] > 0
    assert line["principal"]
    failed = asked(service, limit=8)
    request_id = failed.headers["X-Request-ID"]
    warnings = [
        item
        for item in lines(service)
        if item.get("request_id") == request_id and item["level"] == "WARNING"
    ]
    assert ["left out" in item["message"] for item in warnings] == [True]
    with service.client() as client:
        client.get("/healthz?who=jane.doe@example.com")
    written = service.log.read_text(encoding="utf-8")
    assert not re.search(r"jane|London|165 pounds", written)
    assert not [secret for secret in SECRETS if secret in written]
    assert {line["logger"] for line in lines(service)} >= {"uvicorn.error", "ragline.access"}


def test_metrics_are_not_for_everybody(service: Service) -> None:
    with service.client() as client:
        assert client.get("/metrics").status_code == 200
        # a proxy on this machine that speaks for somebody else
        refused = client.get("/metrics", headers={"X-Forwarded-For": "93.184.216.34"})
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert "ragline_" not in refused.text


@pytest.mark.parametrize("name", [*metrics.DECLARED, *state.DECLARED])
def test_every_number_is_explained(name: str) -> None:
    from tests.conftest import ROOT

    assert f"`{name}`" in (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
