"""Responses of Microsoft.Batch follow Microsoft's OpenAPI documents, if they are beside the checkout."""

from __future__ import annotations

import pytest

from tests.support import openapi
from tests.support.openapi import BATCH, BATCH_ON_ARM, MISSING, Operation
from tests.support.openapi_batch import DATA_PLANE, HOSTS, ON_ARM, prepared, table

pytestmark = pytest.mark.skipif(not BATCH[0].exists(), reason=MISSING)
OPERATIONS = openapi.operations(BATCH + BATCH_ON_ARM)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.plane} {one.name}")
def test_every_operation_answers_as_described(operation: Operation) -> None:
    for exchange in table([operation])[operation]:
        azure = prepared()
        response = openapi.ask(azure.app, operation, HOSTS[operation.plane], exchange)
        operation.check(response)
        assert response.status == exchange.status, response.body


def test_no_request_is_left_over() -> None:
    assert DATA_PLANE.keys() == {one.name for one in OPERATIONS if one.plane == "batch"}
    assert ON_ARM.keys() == {one.name for one in OPERATIONS if one.plane == "arm"}
