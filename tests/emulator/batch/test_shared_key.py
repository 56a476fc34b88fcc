"""Shared keys of accounts: the SDK client signs requests with them; requests without one are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError

from tests.support.batch_clients import IMAGE, BatchClients, run_with_clients

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MACHINE = {"imageReference": IMAGE, "nodeAgentSKUId": "batch.node.ubuntu 22.04"}


async def signed(both: BatchClients, key: str, name: str = "") -> BatchClient:
    account = both.azure.account
    credential: Any = AzureNamedKeyCredential(name or account, key)
    return BatchClient(f"https://{account}.eastus.batch.azure.com", credential, transport=both.azure.transport)


async def keys(both: BatchClients) -> list[str]:
    found = await both.arm.batch_account.get_keys(*both.where)
    assert found.primary
    assert found.secondary
    return [found.primary, found.secondary]


def refusal(work: Callable[[BatchClients], Awaitable[HttpResponseError]]) -> tuple[int | None, str]:
    raised = run_with_clients(work)
    return raised.status_code, str(raised)


def test_both_keys_open_the_data_plane() -> None:
    async def work(both: BatchClients) -> list[str]:
        names = []
        for number, key in enumerate(await keys(both)):
            client = await signed(both, key)
            body: Any = {"id": f"p{number}", "vmSize": "standard_d2s_v5", "virtualMachineConfiguration": MACHINE}
            await client.create_pool(body)
            names += [pool.id async for pool in client.list_pools(filter=f"id eq 'p{number}'", max_results=5)]
        return names

    assert run_with_clients(work) == ["p0", "p1"]


@pytest.mark.parametrize("wrong", ["key", "old", "name", "mode"])
def test_what_is_signed_otherwise_is_refused(wrong: str) -> None:
    async def work(both: BatchClients) -> HttpResponseError:
        key = (await keys(both))[0]
        if wrong == "old":
            await both.arm.batch_account.regenerate_key(*both.where, {"keyName": "Primary"})  # type: ignore[arg-type]
        if wrong == "mode":
            only: Any = {"properties": {"allowedAuthenticationModes": ["AAD"]}}
            await both.arm.batch_account.update(*both.where, only)
        client = await signed(both, "bm90IGl0" if wrong == "key" else key, "another" if wrong == "name" else "")
        with pytest.raises(HttpResponseError) as raised:
            await client.get_pool("p")
        return raised.value

    status, text = refusal(work)
    assert status == 403
    assert "AuthenticationFailed" in text or "failed to authenticate" in text


def test_no_key_opens_a_custom_image() -> None:
    async def work(both: BatchClients) -> HttpResponseError:
        client = await signed(both, (await keys(both))[0])
        image = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/g/images/i/versions/1.0.0"
        machine = MACHINE | {"imageReference": {"virtualMachineImageId": image}}
        body: Any = {"id": "p", "vmSize": "standard_d2s_v5", "virtualMachineConfiguration": machine}
        with pytest.raises(HttpResponseError, match="not allowed when external resources") as raised:
            await client.create_pool(body)
        return raised.value

    assert refusal(work)[0] == 403
