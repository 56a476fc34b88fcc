"""The verb ``connect``; the session itself opens the connection."""

from __future__ import annotations

from batchimg_magics.connection.scenarios import scenario_descriptions
from batchimg_magics.pool_spec.words import SIGN_IN_WAYS
from batchimg_magics.verbs.verb import PROFILE, Option, Verb, parse_integer, parse_number, parse_pair

__all__ = ["VERB"]

VERB = Verb(
    "connect",
    "Connect to the emulator (default) or to Azure",
    (
        Option(
            "--state",
            "Use this emulator state file, or :memory: (default: BATCHIMG_STATE, else a file in the user data folder)",
            metavar="FILE",
            completion="file",
        ),
        Option(
            "--speed",
            "Set the time acceleration of the emulator: 60 (default) = one minute per second; max = no waiting",
            metavar="X",
            annotation="str | float",
        ),
        Option(
            "--scenario",
            "Simulate a failure scenario, such as quota or preemption; calm = none (default: keep the current one)",
            metavar="NAME",
            describe=scenario_descriptions,
        ),
        Option("--seed", "Set the random seed of a new emulator state (default 0)", metavar="N", parse=parse_integer),
        Option(
            "--date",
            "Set the start date of a new emulator state (default: now; with --speed max: 2026-07-01)",
            metavar="DATE",
            annotation="str | dt.datetime",
        ),
        Option(
            "--import",
            "Import resources from `az ... show` output (JSON or YAML) in a file or directory; can be repeated",
            metavar="FILE",
            completion="file",
            dest="import_files",
            combine=tuple,
        ),
        Option(
            "--generalized", "Import the OS disks as generalized (default: only if their VM is marked as generalized)"
        ),
        Option(
            "--not-generalized",
            "Import the OS disks as not generalized",
            dest="generalized",
            const=False,
        ),
        Option(
            "--run-tasks",
            "Really run the tasks of the emulator, as processes of this machine and as you, without isolation",
        ),
        Option("--subscription", "Set the Azure subscription ID; required for Azure", metavar="ID"),
        Option(
            "--resource-group", "Set the resource group of the VM and the images; required for Azure", metavar="NAME"
        ),
        Option(
            "--account",
            "Set the name of the Batch account; required for Azure (emulator default: genomicsbatch)",
            metavar="NAME",
        ),
        Option(
            "--cloud",
            "Set the cloud: AzureCloud (default), AzureUSGovernment, AzureChinaCloud, or a metadata URL",
            metavar="NAME",
            completion="cloud",
        ),
        Option("--tenant", "Sign in to this tenant (default: the tenant of the credential)", metavar="ID"),
        Option(
            "--sign-in",
            "Set the way to sign in (default: the ways of DefaultAzureCredential, one after the other)",
            metavar="WAY",
            choices=SIGN_IN_WAYS,
        ),
        PROFILE,
        Option(
            "--max-cost-per-hour",
            "Refuse to exceed this cost of all pools in USD per hour: nodes, disks, load balancers, addresses",
            metavar="USD",
            parse=parse_number,
        ),
        Option(
            "--tag",
            "Add an Azure resource tag to everything that is created on this connection; can be repeated",
            metavar="NAME=VALUE",
            parse=parse_pair,
            combine=dict,
        ),
        Option("--save-as", "Save this connection as a profile, without secrets", metavar="NAME", completion="profile"),
    ),
    (
        "connect",
        "connect --state trial.db --speed 600",
        "connect --import vm.json --import disk.json --generalized",
        "connect --subscription 00000000-0000-0000-0000-000000000000 --resource-group lab --account labbatch",
        "connect --profile lab --tenant example.org --sign-in device-code",
    ),
)
