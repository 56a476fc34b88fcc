"""Users of a node, who may log in to it by SSH or RDP.

Source: Microsoft's OpenAPI, which requires an idle or running node, and the recorded refusal of a missing user.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.batch.model import pools
from batchimg_magics.emulator.batch.rest.bodies import clean
from batchimg_magics.emulator.batch.rest.errors import bad_property, missing_property, refusal
from batchimg_magics.emulator.batch.routes import nodes
from batchimg_magics.emulator.batch.routes.pools import done, load
from batchimg_magics.emulator.http.messages import Reply, Routes
from batchimg_magics.emulator.world.clock import parse_timestamp
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call

KIND = f"{pools.KIND}/users"
routes = Routes("batch", "/pools/{pool}/nodes/{node}/users")
_NAME = re.compile(r"[^\s/\\\[\]:;|=,+*?<>@\"]{1,20}")
_CHANGEABLE = frozenset({"password", "expiryTime", "sshPublicKey"})
evidence = Evidence("Node users")
evidence.rule(
    "A user of a node whose expiry time is over is refused.",
    "no document says what Batch does",
)
evidence.rule(
    "The strength of the passwords of users is not checked, neither for a node nor for a pool.",
    "no document has a rule; examples of Microsoft's documents have passwords of six letters and digits",
)
_READY = ("idle", "running", "offline")


def _check_expiry(call: Call, body: dict[str, Any]) -> None:
    if "expiryTime" in body and parse_timestamp(str(body["expiryTime"])) <= call.now:
        raise bad_property("expiryTime", body["expiryTime"], "The expiry time must be in the future")


def _check_login(pool: Pool, body: dict[str, Any]) -> None:
    """Require the password of a user on Windows, where there are no SSH keys (documented)."""
    if nodes.os_of(pool) != "windows":
        return
    if "sshPublicKey" in body:
        raise bad_property("sshPublicKey", None, "It can be specified only for Linux nodes")
    if not body.get("password"):
        raise missing_property("password")


def _key(call: Call, name: str, body: dict[str, Any] | None = None) -> str:
    """Return the key of a user of the node in a request; passwords and keys are not stored."""
    _, pool = load(call, writing=True)
    if body is not None:
        _check_login(pool, body)
    node = nodes.need(call, pool)
    if node.state not in _READY:
        raise refusal("OperationInvalidForCurrentState", ("Reason", f"The node is {node.state}"))
    return f"{pool.key}/nodes/{node.id}/users/{name.lower()}"


def _need(call: Call, body: dict[str, Any] | None = None) -> Item:
    user = call.store.get(_key(call, call.params["user"], body))
    if user is None:
        raise refusal("NodeUserNotFound")
    return user


@routes.on("POST", "")
def add(call: Call) -> Reply:
    """Add a user."""
    body = clean(call.body, _CHANGEABLE | {"name", "isAdmin"}, "ComputeNodeUser", call.api_version)
    name = body["name"]
    if not _NAME.fullmatch(name):
        raise bad_property("name", name)
    _check_expiry(call, body)
    key = _key(call, name, body)
    if call.store.get(key) is not None:
        raise refusal("NodeUserExists")
    call.store.put(Item(key, KIND, {"name": name}))
    where = f"{call.base}{call.path.rstrip('/')}/{name}"
    return Reply(201, None, {"Location": where, "DataServiceId": where})


@routes.on("PUT", "/{user}")
def update(call: Call) -> Reply:
    """Change the password, the key or the expiry time of a user."""
    body = clean(call.body, _CHANGEABLE, "NodeUpdateUserParameter", call.api_version)
    _check_expiry(call, body)
    _need(call, body)
    return done(call, 200)


@routes.on("DELETE", "/{user}")
def delete(call: Call) -> Reply:
    """Delete a user."""
    call.store.delete(_need(call).key)
    return done(call, 200)
