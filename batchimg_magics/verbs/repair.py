"""The verb ``repair``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import DRAIN_CHOICES, NODE_ACTIONS
from batchimg_magics.verbs.resize_options import DRAIN, LIMIT_OPTIONS
from batchimg_magics.verbs.verb import NAME, NO_WAIT, RESIZE_TIMEOUT, Option, Verb, VerbCall, check_choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]

_FLAGS = ", ".join(f"--{one}" for one in NODE_ACTIONS)


def start(
    connection: Connection,
    name: str,
    *,
    node: str | Sequence[str] = (),
    drain: str | None = None,
    yes: bool = False,
    **options: Any,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.pool_spec.values import pool_name

    pool, words = pool_name(name), (node,) if isinstance(node, str) else tuple(node)
    # The others are the limits of a repair.
    actions = [word for word in NODE_ACTIONS if options.pop(word.replace("-", "_"), False)]
    if words or actions:
        return _node_call(connection, pool, words, actions, drain, yes=yes, policy=options)
    if drain is not None:
        raise SpecError("--drain needs --node", hint=f"for example: repair {pool} --node ID --remove --drain {drain}")
    return _pool_call(connection, pool, options)


def _pool_call(connection: Connection, pool: str, policy: dict[str, Any]) -> VerbCall:
    """Return the work on all unusable nodes of a pool."""
    from batchimg_magics.core.scaling import controller
    from batchimg_magics.core.scaling.request import ResizeRequest
    from batchimg_magics.pool_spec.resize_policy import ResizePolicy

    request = ResizeRequest(policy=ResizePolicy.from_options(repair=True, canary=False, **policy))
    return lambda board: controller.ResizeController(connection.azure, pool, request, board, verb="repair").run()


def _node_call(
    connection: Connection,
    pool: str,
    words: tuple[str, ...],
    actions: list[str],
    drain: str | None,
    *,
    yes: bool,
    policy: dict[str, Any],
) -> VerbCall:
    """Return the work on the given nodes."""
    from batchimg_magics.core.batch.node_actions import NodeAction
    from batchimg_magics.core.operations import node_actions

    if not words:
        raise SpecError(f"--{actions[0]} needs --node", hint=f"`%batchimg nodes {pool}` lists the IDs of the nodes")
    if len(actions) != 1:
        what = f"not {' and '.join(f'--{one}' for one in actions)}" if actions else "what to do was not given"
        raise SpecError(f"--node takes one action: {what}", hint=f"add one of {_FLAGS}")
    if limits := [name for name, value in policy.items() if value is not None]:
        raise SpecError(
            f"--{limits[0].replace('_', '-')} does not apply to --node", hint=f"it limits `%batchimg repair {pool}`"
        )
    if blank := next((word for word in words if not word.strip(". \N{HORIZONTAL ELLIPSIS}")), None):
        raise SpecError(f"--node is {blank!r}", hint=f"`%batchimg nodes {pool}` lists the IDs of the nodes")
    action = NodeAction(actions[0])
    if drain is not None and check_choice(drain, "--drain", DRAIN_CHOICES) not in action.drains:
        allowed = f"it is one of: {', '.join(action.drains)}" if action.drains else "leave it out"
        raise SpecError(f"--drain {drain} does not apply to --{action.value}", hint=allowed)
    command = node_actions.NodeCommand(pool, words, action, drain)
    consent = connection.consent(yes=yes)
    return lambda board: node_actions.act_on_nodes(connection.azure, command, board, consent)


VERB = Verb(
    "repair",
    "Reboot or replace unusable nodes and nodes with a failed start task, or act on single nodes",
    (
        NAME,
        Option(
            "--node",
            "Act on this node only; an ID or a shortened ID; can be repeated (default: all unusable nodes)",
            metavar="ID",
            completion="node",
            combine=tuple,
            annotation="str | Sequence[str]",
        ),
        Option("--reboot", "Reboot the nodes"),
        Option("--reimage", "Reinstall the operating system of the nodes from the image of the pool"),
        Option("--remove", "Remove the nodes from the pool, which gets smaller"),
        Option("--disable-scheduling", "Assign no more tasks to the nodes"),
        Option("--enable-scheduling", "Assign tasks to the nodes again"),
        DRAIN,
        RESIZE_TIMEOUT,
        *LIMIT_OPTIONS,
        Option("--yes", "Confirm; required on Azure to remove nodes, and for an action that ends running tasks"),
        NO_WAIT,
    ),
    (
        "repair genomics",
        "repair genomics --node tvmps_8f2c...41_d --reboot",
        "repair genomics --node tvmps_8f2c...41_d --remove --drain taskcompletion",
    ),
    start,
    returns="One row per repair attempt; with `node`, one per node.",
    raises=(
        ("ResizeError", "Too many nodes are still unusable; the table of the error has the attempts."),
        ("ConflictError", "Azure refused the action for some nodes; the table of the error has all nodes."),
        ("NotFoundError", "The pool or a node does not exist."),
    ),
    changes=True,
    extra_tables=(("node actions", "With `node`:"),),
)
