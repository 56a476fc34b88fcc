"""Conditional headers on the data plane: tags and dates, reading and writing, pools, jobs and tasks."""

from __future__ import annotations

import pytest
from azure.batch import models as batch_models
from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError

from tests.support.batch_clients import POOL, BatchClients, run_with_clients
from tests.support.batch_emulator import BatchEmulator

PAST, FUTURE = "Wed, 01 Jul 2020 09:00:00 GMT", "Thu, 01 Jul 2027 09:00:00 GMT"


@pytest.fixture
def azure() -> BatchEmulator:
    azure = BatchEmulator()
    azure.create_pool()
    azure.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}})
    azure.batch("POST", "/jobs/j/tasks", {"id": "t", "commandLine": "true"})
    return azure


def test_the_sdk_sends_its_tags_in_quotes_and_is_understood() -> None:
    async def work(both: BatchClients) -> list[str]:
        raised = []
        await both.arm.pool.create(*both.where, "p", POOL)
        pool = await both.until_steady("p")
        change = batch_models.BatchPoolUpdateOptions(metadata=[batch_models.BatchMetadataItem(name="a", value="b")])
        with pytest.raises(ResourceModifiedError) as same:  # azure-batch's own mapping of a 304
            await both.batch.get_pool("p", etag=pool.etag, match_condition=MatchConditions.IfModified)
        raised.append(str(same.value.status_code))
        await both.batch.update_pool("p", change, etag=pool.etag, match_condition=MatchConditions.IfNotModified)
        raised.append((await both.batch.get_pool("p")).metadata[0].name)
        with pytest.raises(ResourceModifiedError) as stale:
            await both.batch.update_pool("p", change, etag=pool.etag, match_condition=MatchConditions.IfNotModified)
        raised.append(str(stale.value.status_code))
        with pytest.raises(ResourceExistsError):
            await both.arm.pool.create(*both.where, "p", POOL, match_condition=MatchConditions.IfMissing)
        return raised

    assert run_with_clients(work) == ["304", "a", "412"]


@pytest.mark.parametrize("path", ["/pools/p", "/jobs/j", "/jobs/j/tasks/t"])
def test_what_only_reads_is_answered_304_without_a_body_when_nothing_has_changed(
    azure: BatchEmulator, path: str
) -> None:
    tag = azure.batch("GET", path).headers["ETag"]
    for headers in ({"if_none_match": tag}, {"if_none_match": f'"x", W/"{tag}"'}, {"if_modified_since": FUTURE}):
        response = azure.batch("GET", path, **headers)
        assert (response.status, response.body, response.headers["ETag"]) == (304, None, tag)
    for headers in ({"if_match": f'"{tag}"'}, {"if_modified_since": PAST}, {"if_unmodified_since": FUTURE}):
        assert azure.batch("GET", path, **headers).status == 200
    for headers in ({"if_match": "0x0"}, {"if_unmodified_since": PAST}):
        assert azure.batch("GET", path, **headers).code == "ConditionNotMet"


def test_a_head_has_conditions_too(azure: BatchEmulator) -> None:
    tag = azure.pool()["eTag"]
    statuses = [azure.batch("HEAD", "/pools/p", if_none_match=one).status for one in (tag, "0x0")]
    assert statuses == [304, 200]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/pools/p", {"metadata": []}),
        ("DELETE", "/pools/p", None),
        ("POST", "/pools/p/enableautoscale", {"autoScaleFormula": "$TargetDedicatedNodes=0"}),
        ("PATCH", "/jobs/j", {"priority": 1}),
        ("DELETE", "/jobs/j", None),
        ("POST", "/jobs/j/tasks/t/terminate", None),
        ("DELETE", "/jobs/j/tasks/t", None),
    ],
)
def test_what_writes_is_refused_with_412(azure: BatchEmulator, method: str, path: str, body: object) -> None:
    azure.clock.advance(10)
    unmet = [
        {"if_match": '"0x0"'},
        {"if_none_match": "*"},
        {"if_modified_since": FUTURE},
        {"if_unmodified_since": PAST},
    ]
    for headers in unmet:
        response = azure.batch(method, path, body, **headers)
        assert (response.status, response.code) == (412, "ConditionNotMet")
    assert azure.batch(method, path, body, if_match="*").status < 300


def test_only_some_conditions_go_together(azure: BatchEmulator) -> None:
    tag = azure.pool()["eTag"]
    both = azure.batch("GET", "/pools/p", if_match=tag, if_none_match="0x0")
    assert (both.status, both.code) == (400, "MultipleConditionHeadersNotSupported")
    assert azure.batch("GET", "/pools/p", if_none_match="0x0", if_modified_since=FUTURE).status == 200
    assert azure.batch("GET", "/pools/p", if_match=tag, if_unmodified_since=PAST).status == 200
    assert azure.batch("GET", "/pools/p", if_unmodified_since="soon").code == "InvalidHeaderValue"


def test_a_pool_that_is_being_deleted_is_not_deleted_again(azure: BatchEmulator) -> None:
    assert azure.batch("DELETE", "/pools/p").status == 202
    assert azure.batch("DELETE", "/pools/p").code == "PoolBeingDeleted"
