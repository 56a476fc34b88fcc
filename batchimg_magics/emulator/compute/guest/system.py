"""The state of an operating system on a disk: whether it is generalized, its accounts, and its Azure agent.

No document shows this state. A disk has it in ``hidden``, as it was when something last changed it, with the changes
that are still to come and their times (``later``): so the state at any time is computed, and nothing has to run then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.catalog.package_lists import list_of_image
from batchimg_magics.emulator.compute.guest.packages import PackageSet

if TYPE_CHECKING:
    from batchimg_magics.emulator.world.store import Item, Store

#: The hidden fact of a disk whose operating system is generalized, that of its accounts and its agent, and that of the
#: changes to come.
DEPROVISIONED, GUEST, LATER = "deprovisioned", "guest", "later"
#: What an operating system has on its disk: packages, and files by the SHA-256 of their text.
CONTENT = ("packages", "files")


class SystemFacts(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The state of an operating system as the control API sets it; what is not given stays.

    Parameters
    ----------
    deprovisioned
        Whether it is generalized.
    admin
        The account that Azure provisioned.
    homes
        The accounts with a home directory.
    agent
        Whether the Azure agent runs while the VM does.
    extensions, encrypted
        Whether it has the remains of Azure extensions, and whether it is encrypted.
    packages
        Manager -> name -> version of packages that are installed, or None for those that are removed.
    """

    deprovisioned: bool | None = None
    admin: str | None = None
    homes: list[str] | None = None
    agent: bool | None = None
    extensions: bool | None = None
    encrypted: bool | None = None
    packages: dict[str, dict[str, str | None]] | None = None


class GuestState(msgspec.Struct, frozen=True):
    """The state of an operating system.

    Parameters
    ----------
    os_type
        ``Linux`` or ``Windows``.
    deprovisioned
        Whether it is generalized.
    admin
        The account that Azure provisioned; empty if it is not known.
    homes
        The accounts with a home directory; None if they are not known.
    agent
        Whether the Azure agent runs while the VM does.
    """

    os_type: str = "Linux"
    deprovisioned: bool = False
    admin: str = ""
    homes: tuple[str, ...] | None = None
    agent: bool = True


class GuestChange(msgspec.Struct, frozen=True):
    """A change of a VM's operating system at a time.

    Parameters
    ----------
    at
        Seconds since 1970, or since the start of the script.
    facts
        The members of `GuestState` that change.
    stops
        Whether the VM stops then.
    """

    at: float
    facts: dict[str, Any] = msgspec.field(default_factory=dict)
    stops: bool = False


def latest_fact(changes: list[GuestChange], at: float, name: str, before: object) -> bool:
    """Return a fact after the changes until a time, e.g. ``agent``; `before` if none of them has it."""
    known = [one.facts[name] for one in sorted(changes, key=lambda one: one.at) if one.at <= at and name in one.facts]
    return bool(known[-1] if known else before)


def provisioned(hidden: dict[str, Any], admin: str) -> dict[str, Any]:
    """Return the facts of an operating system that Azure has just provisioned: an account, a home, a running agent."""
    known = hidden.get(GUEST) or {}
    homes = [*(one for one in known.get("homes") or [] if one != admin), *([admin] if admin else [])]
    content = {name: known[name] for name in CONTENT if name in known}
    return {DEPROVISIONED: False, GUEST: {"admin": admin, "homes": homes, "agent": True, **content}}


def facts_at(item: Item, now: float) -> dict[str, Any]:
    """Return the hidden facts of a disk at a time, with the changes until then."""
    facts = dict(item.hidden)
    for one in facts.pop(LATER, []):
        if one["at"] <= now:
            _apply(facts, one["facts"])
    return facts


def _apply(hidden: dict[str, Any], changed: dict[str, Any]) -> None:
    """Apply changes of the state to the hidden facts of a disk."""
    guest = {name: value for name, value in changed.items() if name not in (DEPROVISIONED, "files")}
    known = hidden.get(GUEST) or {}
    if (written := changed.get("files")) is not None:
        files = (known.get("files") or {}) | written
        guest["files"] = {path: digest for path, digest in files.items() if digest is not None}
    if guest:
        hidden[GUEST] = known | guest
    if DEPROVISIONED in changed:
        hidden[DEPROVISIONED] = changed[DEPROVISIONED]


def guest_state(store: Store, disk: Item | None, now: float) -> GuestState:
    """Return the state of the operating system on a disk at a time."""
    if disk is None:
        return GuestState()
    facts = facts_at(disk, now)
    known = facts.get(GUEST) or {}
    admin = str(known.get("admin") or _admin_of_owner(store, disk))
    homes = known.get("homes")
    if homes is None and admin:
        homes = [admin]
    return GuestState(
        str(disk.doc["properties"].get("osType") or "Linux"),
        bool(facts.get(DEPROVISIONED)),
        admin,
        None if homes is None else tuple(homes),
        bool(known.get("agent", True)),
    )


def _admin_of_owner(store: Store, disk: Item) -> str:
    """Return the account in the OS profile of the VM of a disk."""
    owner = store.get(str(disk.doc.get("managedBy") or ""))
    profile = (owner.doc["properties"].get("osProfile") or {}) if owner is not None else {}
    return str(profile.get("adminUsername") or "")


def plan_changes(store: Store, disk: Item, changes: list[GuestChange]) -> None:
    """Store changes of the operating system on a disk, each for its time."""
    planned = [{"at": one.at, "facts": one.facts} for one in changes if one.facts]
    disk.hidden[LATER] = sorted([*disk.hidden.get(LATER, []), *planned], key=lambda one: float(one["at"]))
    store.put(disk)


def drop_later_changes(store: Store, disk: Item | None, now: float) -> None:
    """Apply the changes until now, and drop the others: what was to do them does not run any more."""
    if disk is not None and LATER in disk.hidden:
        disk.hidden = facts_at(disk, now)
        store.put(disk)


def start_system(store: Store, disk: Item, now: float) -> None:
    """Start the operating system on a disk: a generalized one is provisioned, and its agent runs."""
    hidden = facts_at(disk, now)
    _apply(hidden, {DEPROVISIONED: False, "agent": True})
    disk.hidden = hidden
    store.put(disk)


def set_system(store: Store, item: Item, facts: SystemFacts, now: float) -> None:
    """Set the state of the operating system on a disk, a snapshot, an image or a version."""
    given = {name: value for name, value in msgspec.to_builtins(facts).items() if value is not None}
    beside = {name: given.pop(name) for name in ("extensions", "encrypted") if name in given}
    hidden = facts_at(item, now) | beside
    if (wanted := given.pop("packages", None)) is not None:
        os_type = str(item.doc["properties"].get("osType") or "Linux")
        known = (hidden.get(GUEST) or {}).get("packages") or {}
        packages = PackageSet.of_facts(known, list_of_image("", "", os_type))
        for manager, name, version in ((m, n, v) for m, names in wanted.items() for n, v in names.items()):
            packages.put(manager, name, version)
        given["packages"] = packages.facts()
    _apply(hidden, given)
    item.hidden = hidden
    store.put(item)


def shown_system(store: Store, item: Item, now: float) -> dict[str, Any]:
    """Return the state of the operating system on a disk, a snapshot, an image or a version."""
    state, hidden = guest_state(store, item, now), facts_at(item, now)
    return {
        "deprovisioned": state.deprovisioned,
        "admin": state.admin,
        "homes": None if state.homes is None else list(state.homes),
        "agent": state.agent,
        "extensions": bool(hidden.get("extensions")),
        "encrypted": bool(hidden.get("encrypted")),
    }
