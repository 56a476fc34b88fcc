"""Policy assignments, and the resources that they deny.

Source: the documents of Azure Policy: the order of evaluation, the modes, the effect deny; the error as its
troubleshooting page and the CLI print it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.arm.bodies import merged
from batchimg_magics.emulator.arm.policy_conditions import UnsupportedRuleError, evaluate, resolve
from batchimg_magics.emulator.arm.policy_definitions import BUILT_IN, GROUP_TYPE
from batchimg_magics.emulator.arm.scopes import PROVIDER, is_within, scope_of, split_assigned
from batchimg_magics.emulator.http import scenarios
from batchimg_magics.emulator.http.messages import Call, Refusal
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.emulator.world.store import Store

ASSIGNMENTS = "microsoft.authorization/policyassignments"
DEFINITIONS = "microsoft.authorization/policydefinitions"
SETS = "microsoft.authorization/policysetdefinitions"
_EVERYWHERE = "/providers/Microsoft.Management/managementGroups/organization"
#: Azure Policy does not evaluate the types of Microsoft.Resources but groups. Source: its page on resource exclusions.
_NOT_EVALUATED = "microsoft.resources/deployments"
#: A mode in which only types with tags and a location are evaluated.
_INDEXED = "indexed"
evidence = Evidence("Policies")
evidence.rule("An assignment is in effect at once.", "Azure needs up to 30 minutes; a test does not wait")
evidence.rule(
    "Only the effect deny does something; an assignment whose definition is not in the emulator, or whose rule uses "
    "`count` or other template functions, does nothing.",
    "the effects modify and deployIfNotExists change resources after the request",
)
evidence.rule(
    "Network interfaces that are defined in the body of a VM are judged like others; OS disks are not.",
    "Compute creates the former with the caller's request; no public report has a policy that denied the latter",
)


class Violation(msgspec.Struct, frozen=True):
    """A policy that denies a resource.

    Parameters
    ----------
    assignment, definition
        Their documents.
    resource
        The resource that it denies.
    """

    assignment: dict[str, Any]
    definition: dict[str, Any]
    resource: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of the assignment as people see it."""
        properties = self.assignment["properties"]
        return str(properties.get("displayName") or self.assignment["name"])

    @property
    def message(self) -> str:
        """The message of the error RequestDisallowedByPolicy."""
        resource, definition = self.resource["name"], self.definition
        reasons = [
            str(one.get("message")) for one in self.assignment["properties"].get("nonComplianceMessages") or [] if one
        ]
        if reasons:
            return (
                f"Resource '{resource}' was disallowed by policy. Reasons: '{'; '.join(reasons)}'. See error details "
                "for policy resource IDs."
            )
        title = definition["properties"].get("displayName") or definition["name"]
        identifiers = [
            {
                "policyAssignment": {"name": self.name, "id": self.assignment["id"]},
                "policyDefinition": {"name": title, "id": definition["id"]},
            }
        ]
        return (
            f"Resource '{resource}' was disallowed by policy. Policy identifiers: "
            f"'{msgspec.json.encode(identifiers).decode()}'."
        )

    @property
    def additional_info(self) -> list[dict[str, Any]]:
        """The ``additionalInfo`` of the error."""
        assignment, definition = self.assignment, self.definition
        info = {
            "policyDefinitionDisplayName": definition["properties"].get("displayName", ""),
            "policyDefinitionId": definition["id"],
            "policyDefinitionName": definition["name"],
            "policyDefinitionEffect": "deny",
            "policyAssignmentId": assignment["id"],
            "policyAssignmentName": assignment["name"],
            "policyAssignmentDisplayName": assignment["properties"].get("displayName", ""),
            "policyAssignmentScope": scope_of(assignment["id"]),
            "policyAssignmentParameters": assignment["properties"].get("parameters") or {},
        }
        return [{"type": "PolicyViolation", "info": info}]


def list_assignments(store: Store) -> list[dict[str, Any]]:
    """Return the documents of all assignments, with those of the current scenario, which apply everywhere."""
    listed = [item.doc for item in store.items(ASSIGNMENTS)]
    for title, parameters in scenarios.current(store).policies.items():
        definition = next(one["id"] for one in BUILT_IN.values() if one["properties"]["displayName"] == title)
        inner = {
            "displayName": title,
            "policyDefinitionId": definition,
            "parameters": {name: {"value": value} for name, value in parameters.items()},
            "scope": _EVERYWHERE,
            "enforcementMode": "Default",
        }
        name = title.lower().replace(" ", "-")
        top = {"name": name, "type": "Microsoft.Authorization/policyAssignments"}
        listed.append({"id": f"{_EVERYWHERE}{PROVIDER}/policyAssignments/{name}", **top, "properties": inner})
    return listed


def find_definition(store: Store, key: str) -> dict[str, Any] | None:
    """Return a policy definition or a set of them, built-in or created."""
    item = store.get(key)
    return item.doc if item is not None else BUILT_IN.get(key.lower())


def find_violation(store: Store, resource: dict[str, Any]) -> Violation | None:
    """Return the first policy that denies a resource, or None.

    Parameters
    ----------
    store
        The emulator state.
    resource
        The resource as it would be, in the form of ARM: ``id``, ``name``, ``type`` and the members of its body.
    """
    for assignment in list_assignments(store):
        properties = assignment["properties"]
        key, scope = str(resource["id"]), scope_of(assignment["id"])
        excluded = any(is_within(key, str(one)) for one in properties.get("notScopes") or [])
        if not is_within(key, scope) or excluded or properties.get("enforcementMode") == "DoNotEnforce":
            continue
        given = {name: _value(one) for name, one in (properties.get("parameters") or {}).items()}
        for definition, parameters in _definitions(store, str(properties.get("policyDefinitionId", "")), given):
            if _denies(definition, parameters, resource):
                return Violation(assignment, definition, resource)
    return None


def _definitions(store: Store, key: str, given: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the definitions of an assignment, more than one for a set, with the values of their parameters."""
    found = find_definition(store, key)
    if found is None:
        return
    inner = found["properties"]
    defaults = {
        name: one["defaultValue"]
        for name, one in (inner.get("parameters") or {}).items()
        if isinstance(one, dict) and "defaultValue" in one
    }
    parameters = defaults | given
    if "policyDefinitions" not in inner:
        yield found, parameters
        return
    for one in inner["policyDefinitions"]:
        try:
            passed = {
                name: resolve(_value(value), {}, parameters) for name, value in (one.get("parameters") or {}).items()
            }
        except UnsupportedRuleError:
            continue
        yield from _definitions(store, str(one.get("policyDefinitionId", "")), passed)


def _value(one: object) -> Any:  # noqa: ANN401 - JSON
    return one["value"] if isinstance(one, dict) and "value" in one else one


def _denies(definition: dict[str, Any], parameters: dict[str, Any], resource: dict[str, Any]) -> bool:
    inner = definition["properties"]
    rule = inner.get("policyRule") or {}
    indexed = str(inner.get("mode", _INDEXED)).lower() == _INDEXED
    if indexed and ("location" not in resource or resource["type"] == GROUP_TYPE):
        return False
    try:
        effect = resolve((rule.get("then") or {}).get("effect"), resource, parameters)
        return str(effect).lower() == "deny" and evaluate(rule.get("if"), resource, parameters)
    except UnsupportedRuleError:
        return False


# -- requests ----------------------------------------------------------------------------------------------------


def check(call: Call) -> None:
    """Refuse a request to Resource Manager that would create or change a resource as a policy denies it."""
    if call.method not in ("PUT", "PATCH") or not isinstance(call.body, dict) or split_assigned(call.path):
        return
    if not list_assignments(call.store):
        return
    resource = _requested(call)
    for one in [resource, *_inline_resources(resource)] if resource else []:
        if violation := find_violation(call.store, one):
            raise Refusal(
                403,
                "RequestDisallowedByPolicy",
                violation.message,
                target=str(one["name"]),
                additional_info=violation.additional_info,
            )


def _requested(call: Call) -> dict[str, Any] | None:
    """Return the resource as the request would leave it; None if the path names none."""
    key = call.path.rstrip("/")
    try:
        kind = resources.type_of(key)
    except ValueError:
        parts = key.strip("/").split("/")
        if len(parts) != 4 or parts[2].lower() != "resourcegroups":
            return None
        kind = GROUP_TYPE
    if kind.lower() == _NOT_EVALUATED:
        return None
    body = call.body
    old = resources.find(call.store, call.now, key) if call.method == "PATCH" else None
    if old is not None:
        # A patch replaces all tags.
        body = merged(old.doc, {one: value for one, value in body.items() if one != "tags"})
        body |= {"tags": call.body["tags"]} if "tags" in call.body else {}
    return {**body, "id": key, "name": key.rpartition("/")[2], "type": kind}


def _inline_resources(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the network interfaces that the body of a VM defines."""
    if resource["type"].lower() != "microsoft.compute/virtualmachines":
        return
    profile = (resource.get("properties") or {}).get("networkProfile")
    listed = profile.get("networkInterfaceConfigurations") if isinstance(profile, dict) else None
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict):
            name, group = str(one.get("name", "")), resource["id"].rpartition("/providers/")[0]
            kind = "Microsoft.Network/networkInterfaces"
            top = {"id": f"{group}/providers/{kind}/{name}", "name": name, "type": kind}
            yield {**one, **top, "location": resource.get("location", "")}
