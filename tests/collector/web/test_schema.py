"""Every route of the API, called with whatever its OpenAPI document allows, answers what the document says."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.collector.web.conftest import Running
from tests.waiting import LIMIT_S

CHECKS = (status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture(scope="module")
def document(running: Running) -> Any:
    return schemathesis.openapi.from_url(f"{running.http.base_url}/api/v1/openapi.json")


def test_no_request_brings_it_down(document: Any) -> None:
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 15
    for operation in operations:

        @settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def attempt(case: Any) -> None:
            answer = case.call(timeout=LIMIT_S)
            assert answer.status_code < 500, f"{case.as_curl_command()}: {answer.status_code} {answer.text[:300]}"
            case.validate_response(answer, checks=CHECKS)

        attempt()


SEEN = (
    "/devices",
    "/devices/kitchen-1",
    "/devices/kitchen-1/series",
    "/devices/meter-0042/boots",
    "/points?device=kitchen-1&kind=heap&name=DRAM",
    "/alerts?active=false",
    "/incidents?active=false",
    "/logs?device=kitchen-1",
    "/events?device=kitchen-1",
    "/lines?text=broker",
    "/firmware",
    "/compare?before=1.8.2&after=1.9.0",
    "/compare/boots?device=meter-0042&boot=1&boot=2",
    "/report?device=meter-0042",
    "/messages",
    "/agents",
    "/holes",
    "/silences",
    "/quarantine",
    "/status",
)
"""Questions that a seeded fleet has answers to."""


def test_answers_are_what_the_document_says(document: Any, running: Running) -> None:
    """Each has a schema of its own, and what really comes fits it: no field less, none more."""
    for question in SEEN:
        path = question.partition("?")[0].replace("kitchen-1", "{device}").replace("meter-0042", "{device}")
        operation = document[f"/api/v1{path}"]["GET"]
        described = operation.definition.raw["responses"]["200"]["content"]["application/json"]["schema"]
        assert "$ref" in described, f"{path} answers anything at all"
        answer = running.http.get(f"/api/v1{question}")
        assert answer.status_code == 200, f"{question}: {answer.text[:300]}"
        operation.validate_response(answer)
