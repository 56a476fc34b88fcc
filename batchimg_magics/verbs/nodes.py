"""The verb ``nodes``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import NODE_STATES
from batchimg_magics.verbs.verb import NAMES, Option, Verb, VerbCall, read_text_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]

#: How long a user of a node exists, by default.
_USER_TTL = "8h"
#: Source: Batch OpenAPI, ComputeNodeUser; Linux has the same letters.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,19}")


def start(
    connection: Connection,
    name: str | Sequence[str],
    *,
    counts: bool = False,
    state: str | Sequence[str] = (),
    where: str | None = None,
    prices: bool = True,
    login: str | None = None,
    **user: Any,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    if login is not None:
        return _start_login(connection, name, login, **user)
    if user:
        raise SpecError("--user, --ssh-key and --user-ttl need --login", hint="add --login NODE")
    from batchimg_magics.core.operations import nodes
    from batchimg_magics.pool_spec.values import pool_pattern

    names, states = ([one] if isinstance(one, str) else one for one in (name, state))
    query = nodes.NodeQuery(tuple(map(pool_pattern, names)), counts, tuple(states), where, prices)
    query.test()
    return lambda _: nodes.list_nodes(connection.azure, query)


def _start_login(
    connection: Connection,
    name: str | Sequence[str],
    node: str,
    *,
    user: str | None = None,
    ssh_key: str | None = None,
    user_ttl: str | float | None = None,
) -> VerbCall:
    from batchimg_magics.core.operations import node_login
    from batchimg_magics.pool_spec.values import parse_duration, pool_name

    if not isinstance(name, str):
        raise SpecError("--login needs one pool", hint="name the pool of the node")
    if (user is None) != (ssh_key is None):
        raise SpecError("--user and --ssh-key belong together", hint="--user NAME --ssh-key FILE, a public key (.pub)")
    pool, created = pool_name(name), None
    if user is not None and ssh_key is not None:
        if _USER.fullmatch(user) is None:
            raise SpecError(f"--user is {user!r}", hint="a name of up to 20 letters, digits, - and _, such as ana")
        try:
            key = node_login.check_key(read_text_file(str(Path(ssh_key).expanduser())))
        except ValueError as error:
            raise error if isinstance(error, SpecError) else SpecError(f"--ssh-key {ssh_key}: {error}") from error
        expires_s = parse_duration(_USER_TTL if user_ttl is None else user_ttl)
        if expires_s <= 0:
            raise SpecError("--user-ttl is 0", hint="for example 8h")
        created = node_login.NodeUser(user, key, expires_s)
    return lambda _: node_login.show_login(connection.azure, pool, node, created)


_EXTRA_TEXT = """\
Of several pools, a column `pool` (`string`) comes first. `attrs` has `idle_usd_per_hour`, `unusable_usd_per_hour`
(nodes that are unusable or whose start task failed) and `prices_as_of`; they are None where a price is not known.

A condition compares columns with values (`running_tasks == 0`, `state_since < '2026-07-01T09:30'`,
`state in ['idle', 'running']`, `dedicated`) and combines comparisons with `and`, `or`, `not` and parentheses, as in
`DataFrame.query`. A missing value matches no comparison; use `exit_code == None` to find it.

With `--counts`:"""
_LOGIN_TEXT = """\
With `--login`:"""

VERB = Verb(
    "nodes",
    "List the nodes of one or more pools and their current state",
    (
        NAMES,
        Option("--counts", "Count the nodes by state instead of listing them"),
        Option(
            "--state",
            "Show only nodes in this state; can be repeated",
            metavar="STATE",
            choices=NODE_STATES,
            combine=tuple,
            annotation="str | Sequence[str]",
        ),
        Option(
            "--where",
            "Show only nodes that match a condition: == != < <= > >=, in [...], and, or, not",
            metavar="CONDITION",
            completion="where",
        ),
        Option(
            "--login",
            "Show the SSH or RDP command for this node",
            metavar="NODE",
            completion="node",
        ),
        Option("--user", "With --login: create this user on the node until --user-ttl is over", metavar="NAME"),
        Option(
            "--ssh-key",
            "With --user: the file of the user's OpenSSH public key; passwords are not supported",
            metavar="FILE",
            completion="file",
        ),
        Option("--user-ttl", f"With --user: Batch deletes it then (default: {_USER_TTL})", metavar="DURATION"),
        Option("--no-prices", "Skip the price lookup for idle nodes", dest="prices", const=False),
    ),
    (
        "nodes genomics",
        "nodes genomics --counts",
        "nodes genomics --state unusable --state starttaskfailed",
        "nodes genomics --where \"state == 'idle' and running_tasks == 0\"",
        "nodes 'sim-*' --counts",
        "nodes genomics --login tvmps_f5d3",
        "nodes genomics --login tvmps_f5d3 --user ana --ssh-key ~/.ssh/id_ed25519.pub",
    ),
    start,
    returns="One row per node; with `counts`, one per state; with `login`, one row that shows how to log in.",
    raises=(
        ("SpecError", "A state or the condition is not valid."),
        ("NotFoundError", "There is no such pool."),
    ),
    extra_tables=(("node counts", _EXTRA_TEXT), ("node login", _LOGIN_TEXT)),
)
