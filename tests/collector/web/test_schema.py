"""Every route of the API, called with whatever its OpenAPI document allows."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from tests.collector.web.conftest import Running


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
            answer = case.call(timeout=30)
            assert answer.status_code < 500, f"{case.as_curl_command()}: {answer.status_code} {answer.text[:300]}"
            if answer.status_code >= 400:
                assert list(answer.json()) == ["error"], answer.text[:300]

        attempt()
