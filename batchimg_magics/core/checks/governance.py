"""Read what governs a resource group: locks, assigned policies, and registered resource providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.core.azure import api_versions, pages
from batchimg_magics.core.azure.documents import dig
from batchimg_magics.core.base import concurrency
from batchimg_magics.core.checks.policy_conditions import Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batchimg_magics.core.azure.client import Azure
    from batchimg_magics.core.azure.documents import Json
    from batchimg_magics.core.azure.partial_reads import PartialReader

#: The names of these reads in `Facts.unread`.
LOCKS, POLICIES, REGISTRATION = "management locks", "policy assignments", "registered resource providers"
_PROVIDER = "providers/Microsoft.Authorization"


async def read_governance(reader: PartialReader, groups: Sequence[str], foreign: Iterable[str]) -> dict[str, Any]:
    """Read the locks and policies of resource groups, and whether Batch is registered in other subscriptions.

    Parameters
    ----------
    reader
        Notes what could not be read.
    groups
        Ids of the resource groups in which something is created.
    foreign
        Subscriptions of images that are not the one of the Batch account.
    """
    azure = reader.azure
    locks, policies, registered = await concurrency.gather(
        reader.read(LOCKS, _locks(azure, groups), []),
        reader.read(POLICIES, _policies(azure, groups), []),
        reader.read(REGISTRATION, _registered(azure, sorted(set(foreign))), {}),
    )
    return {"locks": locks, "policies": policies, "registered": registered}


def lock_scope(lock: Json) -> str:
    """Return the id of what a lock is on, in lower case."""
    return str(lock["id"]).lower().rpartition(f"/{_PROVIDER.lower()}/locks/")[0]


async def _locks(azure: Azure, groups: Sequence[str]) -> list[Json]:
    """Return the locks on groups, on what is in them, and on what they are in, each once."""

    async def of(group: str, query: str) -> list[Json]:
        return await pages.read_all(azure, f"{group}/{_PROVIDER}/locks?{query}api-version={api_versions.LOCKS}")

    queries = ("", "$filter=atScope()&")
    found = await concurrency.gather(*(of(group, query) for group in groups for query in queries))
    return list({str(lock["id"]).lower(): lock for listed in found for lock in listed}.values())


async def _registered(azure: Azure, subscriptions: Sequence[str]) -> dict[str, str]:
    """Return the registration state of Microsoft.Batch by subscription."""

    async def state(subscription: str) -> str:
        url = f"/subscriptions/{subscription}/providers/Microsoft.Batch?api-version={api_versions.PROVIDERS}"
        return str((await azure.get(url)).json().get("registrationState") or "")

    states = await concurrency.gather(*(state(one) for one in subscriptions))
    return dict(zip(subscriptions, states, strict=True))


# -- policies ------------------------------------------------------------------------------------------------------


async def _policies(azure: Azure, groups: Sequence[str]) -> list[Policy]:
    """Return the policies in effect in groups, those of initiatives one by one."""

    async def assigned(group: str) -> list[Json]:
        url = f"{group}/{_PROVIDER}/policyAssignments?$filter=atScope()&api-version={api_versions.POLICIES}"
        return await pages.read_all(azure, url)

    listed = await concurrency.gather(*(assigned(group) for group in groups))
    known = {str(one["id"]).lower(): one for each in listed for one in each if _applies(one, groups)}
    found = await concurrency.gather(*(_of_assignment(azure, one) for one in known.values()))
    return [policy for policies in found for policy in policies]


def _applies(assignment: Json, groups: Iterable[str]) -> bool:
    """Tell whether an assignment is enforced, and for one of the groups at least."""
    inner = assignment["properties"]
    excluded = tuple(f"{str(one).lower().rstrip('/')}/" for one in inner.get("notScopes") or [])
    enforced = str(inner.get("enforcementMode") or "Default").lower() == "default"
    return enforced and any(not f"{one.lower()}/".startswith(excluded) for one in groups)


async def _of_assignment(azure: Azure, assignment: Json) -> list[Policy]:
    inner = assignment["properties"]
    given = _values(inner.get("parameters"))
    title = str(inner.get("displayName") or assignment["name"])
    return await _of_definition(azure, str(inner["policyDefinitionId"]), given, title)


async def _of_definition(azure: Azure, definition_id: str, given: Mapping[str, Any], title: str) -> list[Policy]:
    """Return a definition as a policy, or the policies of an initiative."""
    answer = await azure.call_or_none(azure.get(f"{definition_id}?api-version={api_versions.POLICIES}"))
    found: Json | None = None if answer is None else answer.json()
    name = str(dig(found, "properties", "displayName") or definition_id.rpartition("/")[2])
    if "/policysetdefinitions/" not in definition_id.lower():
        return [Policy(name, title, found, given)]
    if found is None:
        return [Policy(name, title, None)]
    outer = Policy(name, title, found, given)
    inner = await concurrency.gather(
        *(
            _of_definition(
                azure,
                str(one["policyDefinitionId"]),
                {key: outer.resolve(value) for key, value in _values(one.get("parameters")).items()},
                title,
            )
            for one in dig(found, "properties", "policyDefinitions") or []
        )
    )
    return [policy for policies in inner for policy in policies]


def _values(parameters: Json | None) -> dict[str, Any]:
    """Return the values of parameters by their names in lower case."""
    return {name.lower(): one.get("value") for name, one in (parameters or {}).items() if isinstance(one, dict)}
