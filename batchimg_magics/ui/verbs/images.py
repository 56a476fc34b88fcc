"""The verbs around VMs and images."""

from __future__ import annotations

from batchimg_magics.ui.verbs.options import NO_WAIT, Option, Verb

__all__ = ["VERBS"]

VERBS: tuple[Verb, ...] = (
    Verb(
        "vms",
        "list the VMs that an image could be made from, or show how to log in to one",
        (
            Option(
                "--connect", "show the SSH or RDP line for this VM, and what to do there", metavar="VM", completion="vm"
            ),
        ),
        ("vms", "vms --connect prep-vm"),
    ),
    Verb(
        "images",
        "list the images, and which pools, scale sets and VMs use them",
        (Option("--sources", "the snapshots and disks under them too"),),
        ("images", "images --sources"),
    ),
    Verb(
        "orphans",
        "list what bears this tool's marks and no pool needs; with --delete, take it away",
        (
            Option("--delete", "delete it all"),
            Option("--older-than", "leave out what is younger, e.g. 2h", metavar="DURATION"),
            Option("--yes", "really do it, on a real connection"),
        ),
        ("orphans", "orphans --delete --older-than 1h"),
    ),
    Verb(
        "migrate",
        "make a pool from a gallery image of one that is made from a managed image or a VHD",
        (
            Option(
                "name",
                "the old pool; without one, list those that have to be migrated",
                metavar="POOL",
                completion="pool",
                optional=True,
            ),
            Option("--to", "the new pool's name; by default the old one's with -gallery", metavar="NAME"),
            Option("--yes", "really do it; without it, the plan is shown"),
            Option("--delete-old", "delete the old pool when the new one's nodes are ready"),
            NO_WAIT,
        ),
        ("migrate", "migrate genomics", "migrate genomics --to genomics2 --yes"),
    ),
    Verb(
        "packer",
        "print a short Packer template that ends in an image for this account's pools",
        (
            Option("name", "the image's name", metavar="NAME"),
            Option("--os", "its system: Linux (default) or Windows", metavar="OS", choices=("Linux", "Windows")),
            Option("--base", "the Marketplace image to begin with", metavar="PUBLISHER:OFFER:SKU"),
            Option(
                "--generation",
                "that image's generation, where Batch's list of supported images has it wrong",
                metavar="GENERATION",
                choices=("V1", "V2"),
            ),
            Option(
                "--to",
                "what it ends in: gallery (default), vhd, or managed-image where the account takes one",
                metavar="END",
                choices=("gallery", "vhd", "managed-image"),
            ),
            Option("--output", "write the template into a file", metavar="FILE", completion="file"),
        ),
        ("packer tools", "packer tools --os Windows --output tools.pkr.hcl"),
    ),
)
