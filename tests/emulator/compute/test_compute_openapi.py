"""Responses of Microsoft.Compute follow Microsoft's OpenAPI documents, if they are beside the checkout."""

from __future__ import annotations

import msgspec
import pytest

from tests.support import openapi
from tests.support.compute_emulator import LONG_S
from tests.support.openapi import BATCH, COMPUTE_ON_ARM, MISSING, EmulatorResponse, Operation
from tests.support.openapi_compute import EXCHANGES, HOSTS, prepared, table

pytestmark = pytest.mark.skipif(not BATCH[0].exists(), reason=MISSING)


@pytest.mark.parametrize("operation", openapi.operations(COMPUTE_ON_ARM), ids=lambda one: one.name)
def test_every_operation_answers_as_described(operation: Operation) -> None:
    for exchange in table([operation])[operation]:
        compute = prepared()
        response = openapi.ask(compute.app, operation, HOSTS[operation.plane], exchange)
        operation.check(response)
        assert response.status == exchange.status, response.body
        if response.status in (201, 202) and "Azure-AsyncOperation" in response.headers:
            compute.clock.advance(LONG_S)
            done = compute.ask("GET", response.headers["Azure-AsyncOperation"]).body
            assert done["status"] == "Succeeded"
            if "200" in operation.description["responses"] and "output" in done.get("properties", {}):
                operation.check(EmulatorResponse(200, msgspec.json.encode(done["properties"]["output"]), {}))


def test_no_request_is_left_over() -> None:
    assert EXCHANGES.keys() == {operation.name for operation in openapi.operations(COMPUTE_ON_ARM)}
