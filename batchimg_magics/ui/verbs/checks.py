"""The verb that looks before anything is made."""

from __future__ import annotations

from dataclasses import replace

from batchimg_magics.ui.verbs.options import Option, Verb
from batchimg_magics.ui.verbs.pools import CREATE

__all__ = ["VERBS"]

#: What only doing has a use for, and where else an image could come from: here NAME says it.
_EXCLUDED_OPTIONS = frozenset(
    {
        "name", "wait", "until", "yes", "replace", "from_vm", "from_vhd", "from_snapshot", "data_snapshots",
        "from_image", "from_version", "storage_account", "os_type", "generation", "security_type", "architecture",
    }
)  # fmt: skip

VERBS: tuple[Verb, ...] = (
    Verb(
        "check",
        "say what Azure would find out later: every rule that a VM, an image or a pool has to keep",
        (
            Option(
                "name",
                "a VM, an image or a pool: its name or resource id; an image also as GALLERY/DEFINITION/VERSION",
                metavar="NAME",
                completion="checkable",
            ),
            Option(
                "--as",
                "what the name is of, where it is of several things",
                metavar="KIND",
                choices=("vm", "image", "pool"),
                dest="kind",
            ),
            Option("--pool", "the pool that the VM or image is to be for", metavar="NAME", completion="pool"),
            Option("--role", "also print the smallest role that may do all of it, as JSON"),
            *(
                replace(option, help=f"as for create: {option.help}")
                for option in CREATE.options
                if option.keyword not in _EXCLUDED_OPTIONS
            ),
        ),
        (
            "check prep-vm",
            "check prep-vm --vm-size Standard_D4s_v5 --nodes 400",
            "check genomics --nodes 1000",
            "check batchimg_labbatch/genomics/1.0.0 --role",
        ),
        takes_body=True,
    ),
)
