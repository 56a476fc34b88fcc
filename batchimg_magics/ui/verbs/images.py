"""The verbs around VMs and images."""

from __future__ import annotations

from batchimg_magics.ui.verbs.options import NO_WAIT, Option, Verb

__all__ = ["VERBS"]

VERBS: tuple[Verb, ...] = (
    Verb("vms", "list the VMs that an image could be made from", (), ("vms",)),
    Verb("images", "list the gallery images, and which pools use them", (), ("images",)),
    Verb(
        "migrate",
        "make a pool from a gallery image of one that is made from a managed image or a VHD",
        (
            Option(
                "name",
                "the old pool; without one, list those that have to be migrated",
                metavar="POOL",
                offer="pool",
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
            Option("--os", "its system: Linux (default) or Windows", metavar="OS", words=("Linux", "Windows")),
            Option("--base", "the Marketplace image to begin with", metavar="PUBLISHER:OFFER:SKU"),
            Option(
                "--to",
                "what it ends in: gallery (default), vhd, or managed-image where the account takes one",
                metavar="END",
                words=("gallery", "vhd", "managed-image"),
            ),
            Option("--output", "write the template into a file", metavar="FILE", offer="file"),
        ),
        ("packer tools", "packer tools --os Windows --output tools.pkr.hcl"),
    ),
)
