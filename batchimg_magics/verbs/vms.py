"""The verb ``vms``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.verbs.verb import Option, Verb, VerbCall

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection

__all__ = ["VERB"]


def start(connection: Connection, *, login: str | None = None) -> VerbCall:
    """Return the work of the verb."""
    from batchimg_magics.core.operations import vms

    return lambda _: vms.list_vms(connection.azure) if login is None else vms.show_login(connection.azure, login)


VERB = Verb(
    "vms",
    "List the VMs of the subscription, or show how to log in to one (--login)",
    (
        Option(
            "--login",
            "Show the SSH or RDP command for this VM, and the next steps on it",
            metavar="VM",
            completion="vm",
        ),
    ),
    ("vms", "vms --login prep-vm"),
    start,
    returns="One row per VM; with `login`, one row that shows how to log in.",
    raises=(("NotFoundError", "There is no such VM."),),
    extra_tables=(("vm login", "With `--login`:"),),
)
