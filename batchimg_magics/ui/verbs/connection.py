"""The verb that chooses where the work goes."""

from __future__ import annotations

from batchimg_magics.ui.verbs.options import PROFILE, Option, Verb, parse_integer, parse_number

__all__ = ["VERBS"]

VERBS: tuple[Verb, ...] = (
    Verb(
        "connect",
        "choose where the work goes: the local Azure (default) or the real one",
        (
            Option(
                "--state", "local: the file that the world lives in, or :memory:", metavar="FILE", completion="file"
            ),
            Option("--speed", "local: simulated seconds a second, or max", metavar="X"),
            Option("--scenario", "local: furnish a new world by this scenario", metavar="NAME"),
            Option(
                "--seed", "local: what the random choices of a new world grow from", metavar="N", parse=parse_integer
            ),
            Option("--date", "local: the day on which a new world begins, e.g. 2026-05-04", metavar="DATE"),
            Option(
                "--import",
                "local: take resource documents as `az ... show` prints them; may be given several times",
                metavar="FILE",
                completion="file",
                dest="import_files",
                combine=tuple,
            ),
            Option("--deprovisioned", "the systems on the imported disks were deprovisioned"),
            Option(
                "--not-deprovisioned",
                "the systems on the imported disks were not deprovisioned",
                dest="deprovisioned",
                const=False,
            ),
            Option("--subscription", "Azure: the subscription's id", metavar="ID"),
            Option("--resource-group", "Azure: the resource group of the VM and the images", metavar="NAME"),
            Option("--account", "Azure: the Batch account", metavar="NAME"),
            PROFILE,
            Option(
                "--max-cost-per-hour",
                "US dollars an hour that all pools of the account may cost: what would cost more is refused",
                metavar="USD",
                parse=parse_number,
            ),
            Option("--save-as", "save this connection as a profile", metavar="NAME", completion="profile"),
        ),
        (
            "connect",
            "connect --state trial.db --speed 600",
            "connect --import vm.json --import disk.json --deprovisioned",
            "connect --subscription 00000000-0000-0000-0000-000000000000 --resource-group lab --account labbatch",
        ),
    ),
)
