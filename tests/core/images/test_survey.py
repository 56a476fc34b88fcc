"""The survey of who uses an image: a thousand subscriptions, every page, and what could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from batchimg_magics.core.images import inventory
from batchimg_magics.emulator.arm.pages import PAGE_SIZE
from batchimg_magics.emulator.http.tokens import TENANT
from batchimg_magics.emulator.world.store import Item
from batchimg_magics.errors import ConflictError, InUseError
from tests.support.connections import emulator_of, wrapped_session
from tests.support.faults import set_faults
from tests.support.forwarding_transport import ForwardingTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics import Session

COUNT = 1000
POOL = {"from_vm": "prep-vm", "vm_size": "Standard_D4s_v5"}


class Counting(ForwardingTransport):
    """Notes the paths, and how many requests are on their way at the same time."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.paths: list[str] = []
        self.now = self.most = 0

    async def send(self, request: Any, **kwargs: Any) -> Any:
        self.paths.append(urlsplit(request.url).path.lower())
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await self.inner.send(request, **kwargs)
        finally:
            self.now -= 1


def subscription(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012}"


def add(session: Session, *documents: dict[str, Any]) -> None:
    """Put documents into the emulator as they are."""
    store = emulator_of(session).store
    with store.transaction(write=True):
        for document in documents:
            kind = document.get("type", "microsoft.resources/subscriptions").lower()
            store.put(Item(document["id"].lower(), kind, document))


def add_subscriptions(session: Session, count: int, **more: Any) -> None:
    add(session, *({
        "id": f"/subscriptions/{subscription(number)}", "subscriptionId": subscription(number), "tenantId": TENANT,
        "displayName": f"{number}", "state": "Enabled", **more,
    } for number in range(count)))  # fmt: skip


def add_user(session: Session, number: int, name: str, image: str) -> None:
    """Let a scale set of a subscription use an image."""
    uses = {"virtualMachineProfile": {"storageProfile": {"imageReference": {"id": image}}}}
    under = f"/subscriptions/{subscription(number)}/resourceGroups/g/providers/Microsoft.Compute"
    add(session, {"id": f"{under}/virtualMachineScaleSets/{name}", "name": name, "location": "eastus",
                  "type": "Microsoft.Compute/virtualMachineScaleSets", "properties": uses})  # fmt: skip


@pytest.fixture
def opened() -> Iterator[tuple[Session, Counting]]:
    with wrapped_session(Counting, state=":memory:", speed="max") as (session, requests):
        session.create("genomics", **POOL)
        yield session, requests


def version_of(session: Session) -> str:
    images = session.images()
    return str(images[images.kind == "version"].iloc[0].id)


def test_a_thousand_subscriptions_are_read_a_few_at_a_time(opened: tuple[Session, Counting]) -> None:
    session, requests = opened
    add_subscriptions(session, COUNT)
    add_user(session, COUNT - 1, "last", version_of(session))
    requests.paths.clear()
    requests.most = 0
    used = session.images().query("kind == 'version'").iloc[0].used_by
    assert used == "genomics, scale set last"
    # The subscriptions' own lists, page by page, and four lists in each: no more.
    assert requests.paths.count("/subscriptions") == COUNT // PAGE_SIZE + 1
    within = [path for path in requests.paths if path.startswith("/subscriptions/00000000")]
    assert len(within) == len(set(within)) == 4 * COUNT
    assert requests.most <= 2 * inventory.MAX_CONCURRENT


def test_users_on_later_pages_count(opened: tuple[Session, Counting]) -> None:
    session, _ = opened
    version = version_of(session)
    add_subscriptions(session, 1)
    for number in range(PAGE_SIZE):
        add_user(session, 0, f"a{number:03}", "/subscriptions/x/resourceGroups/g/providers/Microsoft.Compute/images/i")
    add_user(session, 0, "z-last", version)
    session.delete("genomics")
    with pytest.raises(InUseError, match="scale set z-last"):
        session.delete(version)


@pytest.mark.parametrize("state", ["Warned", "PastDue", "Disabled"])
def test_subscriptions_in_every_state_are_read(opened: tuple[Session, Counting], state: str) -> None:
    session, _ = opened
    add_subscriptions(session, 1, state=state)
    add_user(session, 0, "still-there", version_of(session))
    assert "still-there" in session.images().query("kind == 'version'").iloc[0].used_by


def test_what_could_not_be_read_is_told_shortly_and_stops_a_deletion(opened: tuple[Session, Counting]) -> None:
    session, _ = opened
    add_subscriptions(session, 10)
    set_faults(session, method="GET", path="/subscriptions/0+[^/]*/providers/Microsoft.Batch", status=403,
               code="AuthorizationFailed", times=None)  # fmt: skip
    images = session.images()
    assert len(images.attrs["unreadable"]) == 10
    assert "and 5 more" in images.attrs["caption"]
    with pytest.raises(ConflictError, match="could not read: Batch accounts of subscription 0000"):
        session.delete("genomics", image=True)
    assert list(session.pools().pool) == ["genomics"]
    assert "could not read" in session.delete("genomics", image=True, dry_run=True).attrs["caption"]
    assert session.delete("genomics", image=True, yes=True).action.iloc[0] == "deleted"


def test_a_page_that_fails_makes_the_list_unread(opened: tuple[Session, Counting]) -> None:
    session, _ = opened
    add_subscriptions(session, PAGE_SIZE + 5)
    set_faults(
        session, method="GET", path="azure.com/subscriptions$", status=403, code="AuthorizationFailed", times=1, skip=1
    )
    assert any("other subscriptions" in one for one in session.images().attrs["unreadable"])
