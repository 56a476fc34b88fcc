"""How to log in to a node: its endpoint, and a user that is created for a while.

Batch forwards ports of the public addresses of a pool to its nodes. A pool without public addresses, or with inbound
NAT pools of its own that lead to other ports, has no such endpoint.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from batchimg_magics.core.azure import api_versions
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base.login_lines import rdp_line, ssh_line
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.batch import expiry, node_agents, nodes, pools
from batchimg_magics.core.operations.logs import find_node
from batchimg_magics.errors import ConflictError, SpecError
from batchimg_magics.pool_spec.line import magic_word, shell_word

if TYPE_CHECKING:
    import datetime as dt

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json

__all__ = ["NodeUser", "check_key", "show_login"]

#: The states in which Batch creates users of a node. Source: Batch service, create node user.
_READY = frozenset({"idle", "running"})
_SSH_PORT, _RDP_PORT = 22, 3389
#: An OpenSSH public key: its kind, the key in base64, and a comment.
_PUBLIC_KEY = re.compile(r"(?:ssh-(?:rsa|ed25519)|ecdsa-sha2-\S+|sk-\S+@openssh\.com) [A-Za-z0-9+/=]+(?: .*)?")
_CONFLICT, _NO_ENDPOINT = 409, "OperationNotValidOnNode"


@dataclass(frozen=True, slots=True)
class NodeUser:
    """A user to create on a node.

    Parameters
    ----------
    name
        Its name.
    public_key
        Its OpenSSH public key.
    expires_s
        After how many seconds Batch deletes it.
    """

    name: str
    public_key: str
    expires_s: float


def check_key(text: str) -> str:
    """Return the public key in the text of a file.

    Raises
    ------
    SpecError
        It is a private key, or no OpenSSH public key.
    """
    if "PRIVATE KEY" in text:
        raise SpecError("--ssh-key is a private key, which is never sent", hint="use the public key: the file .pub")
    key = text.strip()
    if not _PUBLIC_KEY.fullmatch(key):
        raise SpecError(
            "--ssh-key is not an OpenSSH public key", hint="`ssh-keygen -t ed25519` makes one; use the file .pub"
        )
    return key


async def show_login(azure: Azure, pool: str, node: str, user: NodeUser | None = None) -> Table:
    """Return how to log in to a node, in one row; with `user`, create or replace that user first.

    Raises
    ------
    NotFoundError
        There is no such pool or node.
    SpecError
        A user is asked for on a Windows node, which has passwords only.
    ConflictError
        The node is in a state in which it takes no user.
    """
    found = await pools.require(azure, pool)
    name, windows = str(found["name"]), node_agents.os_type_of(pools.agent_of(found)) == "Windows"
    chosen = find_node(await nodes.read_nodes(azure, name, states_only=True), node, name)
    address, port = await _read_endpoint(azure, name, chosen.id)
    expires = None
    if user is not None:
        expires = await _create_user(azure, name, chosen.id, user, state=chosen.state, windows=windows)
    row = {
        "node_id": chosen.id,
        "pool": name,
        "os": "Windows" if windows else "Linux",
        "state": chosen.state,
        "protocol": "RDP" if windows else "SSH",
        "address": address,
        "port": port,
        "user": user.name if user is not None else None,
        "expires": expires,
        "command": _command(address, port, user, windows=windows),
        "next": _next_text(found, name, chosen.id, address, user, windows=windows),
    }
    said = row["command"] or "no endpoint for a login"
    return Table.from_rows("node login", [row], f"node {chosen.id}: {said}")


async def _read_endpoint(azure: Azure, pool: str, node: str) -> tuple[str | None, int | None]:
    """Return address and port of a node's endpoint; None where the pool has none."""
    try:
        return await nodes.read_login_endpoint(azure, pool, node)
    except ConflictError as error:
        if error.code != _NO_ENDPOINT:
            raise
        return None, None


async def _create_user(azure: Azure, pool: str, node: str, user: NodeUser, *, state: str, windows: bool) -> dt.datetime:
    """Create a user, or give one of the name the key and the expiry; return when it expires."""
    if windows:
        raise SpecError(
            "users of Windows nodes have passwords, which this tool never takes",
            hint=f"`az batch node user create --pool-id {shell_word(pool)} --node-id {shell_word(node)} "
            "--name USER --password PASSWORD` in a terminal creates one",
        )
    if state not in _READY:
        raise ConflictError(
            f"node {node} is {state}: Batch creates users on idle and running nodes only",
            hint=f"`%batchimg logs {magic_word(pool)} {magic_word(node)}` shows the output of its start task",
            status_code=_CONFLICT,
        )
    expires = expiry.expires_after(azure, user.expires_s)
    # Not an administrator: whoever repairs a node makes a new image.
    body: dict[str, Any] = {"sshPublicKey": user.public_key, "expiryTime": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}
    url, version = f"{_url(pool, node)}/users", f"api-version={api_versions.BATCH}"
    kind = {"Content-Type": "application/json; odata=minimalmetadata"}
    try:
        await azure.send("POST", f"{url}?{version}", {"name": user.name, **body}, plane="batch", headers=kind)
    except ConflictError as error:
        if error.code != "NodeUserExists":
            raise
        await azure.send("PUT", f"{url}/{quote(user.name, safe='')}?{version}", body, plane="batch", headers=kind)
    return expires


def _url(pool: str, node: str) -> str:
    return f"/pools/{quote(pool, safe='')}/nodes/{quote(node, safe='')}"


def _command(address: str | None, port: int | None, user: NodeUser | None, *, windows: bool) -> str | None:
    if address is None:
        return None
    if windows:
        return rdp_line(address, port)
    return ssh_line(user.name if user else "USER", address, port)


def _next_text(pool: Json, name: str, node: str, address: str | None, user: NodeUser | None, *, windows: bool) -> str:
    """Return what to do next, as text."""
    if address is None:
        return _no_endpoint_text(pool, windows=windows)
    if windows:
        return (
            "create a user in a terminal: "
            f"`az batch node user create --pool-id {shell_word(name)} --node-id {shell_word(node)} "
            "--name USER --password PASSWORD --expiry-time TIME`"
        )
    if user is None:
        login = f"%batchimg nodes {magic_word(name)} --login {magic_word(node)}"
        return f"create a user: `{login} --user USER --ssh-key ~/.ssh/id_ed25519.pub`"
    return "the user is no administrator, and Batch deletes it when it expires"


def _no_endpoint_text(pool: Json, *, windows: bool) -> str:
    network = dig(pool, "properties", "networkConfiguration") or {}
    provision = str(dig(network, "publicIPAddressConfiguration", "provision") or "").lower()
    inside = "connect to its private IP address from a VM in the same virtual network"
    if provision == "nopublicipaddresses":
        return f"the nodes have no public IP address: {inside}"
    port = _RDP_PORT if windows else _SSH_PORT
    return (
        f"the pool has no inbound NAT pool for port {port}, and it cannot get one: create the pool again with "
        f"--login-ports {port}, or {inside}"
    )
