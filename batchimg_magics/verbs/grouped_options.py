"""The groups of options in help, for verbs with many options."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.verbs.verb import Option

__all__ = ["OTHER", "group_options"]

#: Verbs with fewer options than this are listed without groups.
_MIN_OPTIONS = 15
OTHER = "other options"
#: Title to options, in the order of help.
_GROUPS: dict[str, tuple[str, ...]] = {
    "image source (one of --from-... is required)": (
        "--from-vm", "--from-vhd", "--from-snapshot", "--data-snapshot", "--from-image", "--from-version",
        "--storage-account", "--os-type", "--generation", "--security-type", "--architecture",
    ),
    "number and size of nodes": ("--vm-size", "--nodes", "--spot", "--formula", "--formula-interval"),
    "image": (
        "--capture", "--stop", "--copy-size", "--copy-subnet", "--keep-users", "--generalized", "--new-image", "--via",
        "--direct", "--gallery", "--node-agent-sku", "--replicas",
    ),
    "software and tasks of nodes": (
        "--start-task", "--check-command", "--no-packages", "--application-packages", "--containers",
        "--container-images", "--task-slots", "--node-fill", "--job-order", "--inter-node", "--upgrade-policy",
        "--license-type",
    ),
    "disks and encryption": (
        "--mount-data-disks", "--data-disks", "--os-disk-gib", "--os-disk-type", "--os-disk-caching",
        "--ephemeral-os-disk", "--encryption-at-host", "--disk-encryption", "--disk-encryption-set",
        "--security-encryption",
    ),
    "network and placement": (
        "--subnet", "--no-public-address", "--public-addresses", "--login-ports", "--accelerated-networking",
        "--node-placement",
    ),
    "names, tags and identities": ("--display-name", "--metadata", "--tags", "--identities", "--api"),
    "single nodes": (
        "--node", "--reboot", "--reimage", "--remove", "--disable-scheduling", "--enable-scheduling",
    ),
    "resize and its limits": (
        "--drain", "--autoscale-off", "--timeout", "--until", "--max-rounds", "--max-minutes", "--max-cost",
        "--max-unusable", "--repair", "--canary", "--no-canary", "--take-what-fits", "--fallback-dedicated", "--ttl",
        "--then-zero",
    ),
    "emulator": (
        "--state", "--speed", "--scenario", "--seed", "--date", "--import", "--generalized", "--not-generalized",
        "--run-tasks",
    ),
    "Azure": (
        "--subscription", "--resource-group", "--account", "--cloud", "--tenant", "--sign-in", "--profile", "--save-as",
    ),
    "guards of this connection": ("--max-cost-per-hour", "--tag"),
    "what the check is about": ("--as", "--pool", "--all", "--role"),
    "how the command runs": (
        "--spec", "--plan", "--locked", "--out", "--force", "--dry-run", "--replace", "--accept", "--yes", "--no-wait",
    ),
}  # fmt: skip


def group_options(options: tuple[Option, ...]) -> dict[str, list[Option]]:
    """Return the options of a verb that are not arguments, by the title of their group; one title for a few options."""
    named = [option for option in options if not option.is_positional]
    if len(named) < _MIN_OPTIONS:
        return {"options": named} if named else {}
    by_flag = {option.flag: option for option in named}
    # A flag that is in several groups belongs to the one that has most of the verb's options.
    sizes = {title: len(by_flag.keys() & {*flags}) for title, flags in _GROUPS.items()}
    largest = {flag: title for title in sorted(_GROUPS, key=sizes.__getitem__) for flag in _GROUPS[title]}
    groups = {
        title: [by_flag.pop(flag) for flag in flags if flag in by_flag and largest[flag] == title]
        for title, flags in _GROUPS.items()
    }
    groups[OTHER] = list(by_flag.values())
    return {title: listed for title, listed in groups.items() if listed}
