"""Schemathesis: what the OpenAPI document promises, held against a running server."""

from collections.abc import Callable
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.app.api.running import Service

# what this stands for is documented (docs/api.md): the filter language, moments, ids and groups have
# rules that no JSON schema can say
BEYOND_THE_SCHEMA = [positive_data_acceptance]
BOUNDED = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


Check = Callable[[Any], None]


def each_operation(service: Service, bounds: settings, check: Check) -> None:
    """Hold every operation against generated requests; all failures are told, not the first."""
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json", timeout=60)
    failures, operations = [], 0
    for found in schema.get_all_operations():
        operation = found.ok()
        operations += 1

        def held(case: Any) -> None:
            check(case)

        try:
            bounds(given(case=operation.as_strategy())(held))()
        except BaseException as error:  # a group of failures is no Exception
            failures.append(f"{operation.label}: {error!r} {getattr(error, 'exceptions', '')}")
    assert operations >= 18
    assert not failures, "\n\n".join(failures)


def test_the_service_keeps_what_its_document_promises(guarded: Service) -> None:
    def check(case: Any) -> None:
        response = case.call_and_validate(
            headers=guarded.headers, excluded_checks=BEYOND_THE_SCHEMA, timeout=120
        )
        assert response.status_code < 500
        _is_well_formed(case, response)

    each_operation(guarded, BOUNDED, check)


def test_so_it_does_for_those_whom_it_does_not_know(guarded: Service) -> None:
    def check(case: Any) -> None:
        response = case.call_and_validate(excluded_checks=BEYOND_THE_SCHEMA, timeout=120)
        if case.path.startswith("/v1/"):
            assert response.status_code == 401
        _is_well_formed(case, response)

    each_operation(guarded, settings(BOUNDED, max_examples=2), check)


def test_the_document_is_complete(guarded: Service) -> None:
    document = httpx.get(f"{guarded.url}/openapi.json", timeout=60).json()
    assert document["openapi"].startswith("3.1")
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(names) == len(set(names))
    for path, _, operation in operations:
        assert operation["summary"]
        assert operation["description"]
        if path.startswith("/v1/"):
            assert {"401", "403", "429", "500"} <= set(operation["responses"])
            assert operation["security"]


def _is_well_formed(case: Any, response: Any) -> None:
    """Every error is a problem document, or what clients of OpenAI know."""
    if response.status_code < 400 or case.path == "/readyz":
        return
    body = response.json()
    if case.path.startswith(("/v1/chat", "/v1/models")):
        assert body["error"]["message"]
        assert body["error"]["request_id"]
    else:
        assert response.headers["content-type"] == ["application/problem+json"]
        assert body["status"] == response.status_code
        assert body["detail"]
