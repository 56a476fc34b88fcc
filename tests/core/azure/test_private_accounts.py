"""A private Batch account: Resource Manager answers, the data plane does not, and the error says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import Session
from batchimg_magics.emulator.furnish import ACCOUNT
from batchimg_magics.errors import AuthenticationError, BatchImgError
from tests.support.connections import emulator_of
from tests.support.rule_cases import inside_network, selected_networks

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session() as opened:
        yield opened


def connect(session: Session, **properties: Any) -> None:
    """Connect to an account with these properties; the first verb reads it."""
    session.open(state=":memory:", speed="max")
    store = emulator_of(session).store
    with store.transaction(write=True):
        (item,) = store.items("microsoft.batch/batchaccounts")
        item.doc["properties"] |= properties
        store.put(item)


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ({"publicNetworkAccess": "Disabled"}, "its public network access is Disabled"),
        ({"networkProfile": selected_networks("198.51.100.7")}, "it allows selected networks only"),
        ({"publicNetworkAccess": "SecuredByPerimeter"}, "its public network access is SecuredByPerimeter"),
    ],
)
def test_a_refusal_of_the_data_plane_says_that_the_account_is_private(
    session: Session, properties: dict[str, Any], why: str
) -> None:
    connect(session, **properties)
    assert session.pools().empty  # Resource Manager is not restricted
    for url in ("/pools", "/supportedimages", "/nodecounts", "/jobs", "/pools/p/nodes"):
        with pytest.raises(AuthenticationError, match=f"Batch account {ACCOUNT} is private: {why}") as refused:
            session.call(lambda azure, url=url: azure.get(f"{url}?api-version=2025-06-01", plane="batch"))
        assert "private endpoint" in refused.value.hint
        assert (refused.value.status_code, refused.value.code) == (403, "AuthorizationFailure")
        assert "This request is not authorized" in str(refused.value)


def test_an_sdk_client_is_told_the_same(session: Session) -> None:
    async def delete(azure: Any) -> None:
        await azure.call((await azure.batch()).get_pool("p"))

    connect(session, publicNetworkAccess="Disabled")
    with pytest.raises(AuthenticationError, match="is private"):
        session.call(delete)


@pytest.mark.parametrize("properties", [inside_network(), {"networkProfile": selected_networks("203.0.113.0/24")}])
def test_from_within_the_network_nothing_is_refused(session: Session, properties: dict[str, Any]) -> None:
    connect(session, **properties)
    session.call(lambda azure: azure.get("/pools?api-version=2025-06-01", plane="batch"))


def test_a_pool_of_a_private_account_is_refused_before_anything_is_made(session: Session) -> None:
    connect(session, publicNetworkAccess="Disabled")
    rows = session.check("prep-vm")
    assert "account-access" in set(rows.rule)
    with pytest.raises(BatchImgError, match="is private"):
        session.create("p", from_vm="prep-vm", vm_size="Standard_D2s_v5", nodes=1)
    assert session.images().empty
