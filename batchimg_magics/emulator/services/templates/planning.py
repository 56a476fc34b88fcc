"""The resources of a template: with their copies, nested resources, conditions, ids and dependencies.

Source: "Understand the structure and syntax of ARM templates", "Define the order for deploying resources".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.services.templates.expressions import (
    Function,
    TemplateError,
    functions_in,
    is_expression,
    parse,
)
from batchimg_magics.emulator.services.templates.text_functions import to_text
from batchimg_magics.emulator.services.templates.value_functions import to_bool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.emulator.services.templates.azure_functions import Place
    from batchimg_magics.emulator.services.templates.evaluation import Scope

DEPLOYMENTS = "Microsoft.Resources/deployments"
_GROUPS = "microsoft.resources/resourcegroups"
#: The members of a resource in a template that are not in the request.
_TEMPLATE_ONLY = frozenset(
    {"type", "name", "apiVersion", "dependsOn", "condition", "copy", "comments", "scope", "resources", "existing"}
    | {"resourceGroup", "subscriptionId", "metadata", "asserts", "@options"}
)


class PlannedResource(msgspec.Struct):
    """A resource of a template.

    Parameters
    ----------
    id, name, type, version
        Its id, its name as the template has it, its full type, and the api-version of its request.
    source, scope
        As the template has it, and the scope of its expressions.
    symbol, loop
        Its symbolic name and the name of its copy loop; empty for none.
    deployed
        Whether its condition holds, and it is not one that exists already.
    depends
        Ids in lower case of the resources that it depends on.
    """

    id: str
    name: str
    type: str
    version: str
    source: dict[str, Any]
    scope: Scope
    symbol: str = ""
    loop: str = ""
    deployed: bool = True
    depends: list[str] = msgspec.field(default_factory=list)

    @property
    def key(self) -> str:
        """Its id in lower case."""
        return self.id.lower()

    def body(self) -> dict[str, Any]:
        """Return the body of its request."""
        asked = {name: one for name, one in self.source.items() if name not in _TEMPLATE_ONLY}
        if self.type.lower() != DEPLOYMENTS.lower() or not isinstance(asked.get("properties"), dict):
            return self.scope.value(asked)  # type: ignore[no-any-return] # an object stays one
        inner = dict(asked["properties"])
        options = inner.get("expressionEvaluationOptions")
        option = options.get("scope", "outer") if isinstance(options, dict) else "outer"
        kept = {"template": inner.pop("template", None)} if str(option).lower() == "inner" else {}
        found: dict[str, Any] = self.scope.value(asked | {"properties": inner})
        return found | {"properties": {**found["properties"], **kept}}


def plan(template: dict[str, Any], place: Place, scope: Scope) -> list[PlannedResource]:
    """Return the resources of a template in the order of their dependencies.

    Raises
    ------
    TemplateError
        The template is not valid.
    """
    found: list[PlannedResource] = []
    for symbol, one in _listed(template.get("resources")):
        found += _expanded(one, symbol, place, scope)
    keys: set[str] = set()
    for planned in found:
        if planned.key in keys and planned.deployed:
            raise TemplateError(
                f"The resource '{planned.id.partition('/providers/')[2] or planned.id}' is defined multiple times in a "
                "template. Please see https://aka.ms/arm-syntax-resources for usage details."
            )
        keys.add(planned.key)
    for planned in found:
        planned.depends = list(dict.fromkeys(_dependencies(planned, found)))
    return _in_order(found)


def find_planned(found: list[PlannedResource], asked: str) -> list[PlannedResource]:
    """Return the resources that a text names: by id, type and name, name, symbolic name, or copy loop."""
    # subscriptionResourceId() of a group has the provider; its id has not.
    wanted = asked.strip("/").lower().replace(f"/providers/{_GROUPS}/", "/resourcegroups/")
    by_id = [one for one in found if one.key.strip("/") == wanted]
    if by_id or asked.startswith("/subscriptions"):
        return by_id
    matches = [one for one in found if wanted in (one.symbol.lower(), one.loop.lower()) and wanted]
    if not matches:
        matches = [one for one in found if one.key.endswith(f"/providers/{wanted}") or one.name.lower() == wanted]
    return matches


def _listed(resources: object) -> list[tuple[str, dict[str, Any]]]:
    """Return (symbolic name, resource) pairs."""
    if isinstance(resources, dict):
        pairs = list(resources.items())
    elif isinstance(resources, list):
        pairs = [("", one) for one in resources]
    else:
        raise TemplateError("Required property 'resources' not found in JSON. Path '', line 1, position 1.")
    for _, one in pairs:
        if not isinstance(one, dict):
            raise TemplateError("The template resource is not valid: it has to be an object.")
    return pairs


def _expanded(
    source: dict[str, Any], symbol: str, place: Place, scope: Scope, parent: tuple[str, str] = ("", "")
) -> Iterator[PlannedResource]:
    """Yield a resource with its copies and its nested resources."""
    loop = source.get("copy")
    if loop is None:
        yield from _one(source, symbol, place, scope, parent, "")
        return
    if parent[0]:
        raise TemplateError(
            f"The template resource '{source.get('name')}' is not valid: a resource inside another one has no copy."
        )
    if not isinstance(loop, dict) or not loop.get("name"):
        raise TemplateError("The copy of a template resource is not valid: it has to be an object with name and count.")
    for index in range(scope.count(loop)):
        yield from _one(source, symbol, place, scope.in_copy(str(loop["name"]), index), parent, str(loop["name"]))


def _one(
    source: dict[str, Any], symbol: str, place: Place, scope: Scope, parent: tuple[str, str], loop: str
) -> Iterator[PlannedResource]:
    kind, name = to_text(scope.value(source.get("type"))), to_text(scope.value(source.get("name")))
    if not kind or not name:
        missing = "name" if kind else "type"
        raise TemplateError(
            f"The template resource '{name or kind}' is not valid: the property '{missing}' is missing."
        )
    own_name = name
    if parent[0]:
        kind, name = f"{parent[0]}/{kind}", f"{parent[1]}/{name}"
    version = to_text(scope.value(source.get("apiVersion")))
    if not version:
        raise TemplateError(
            f"The template resource '{name}' of type '{kind}' is not valid. The api-version property 'apiVersion' is "
            "missing. Please see https://aka.ms/arm-syntax-resources for usage details."
        )
    condition = scope.value(source.get("condition", True))
    deployed = to_bool(condition) and source.get("existing") is not True
    key = _id(source, kind, name, place, scope)
    at_runtime = msgspec.structs.replace(scope, runtime=place.runtime)
    scope.work.add_resource()
    yield PlannedResource(key, own_name, kind, version, source, at_runtime, symbol, loop, deployed)
    for inner_symbol, inner in _listed(source.get("resources") or []):
        yield from _expanded(inner, inner_symbol, place, scope, (kind, name))


def _id(source: dict[str, Any], kind: str, name: str, place: Place, scope: Scope) -> str:
    """Return the id of a resource from its type and its name."""
    namespace, *types = kind.split("/")
    names = name.split("/")
    if not types or len(types) != len(names):
        raise TemplateError(
            f"The template resource '{name}' for type '{kind}' has incorrect segment lengths. A nested resource type "
            "must have identical number of segments as its resource name. A root resource type must have "
            "segment length one greater than its resource name. Please see "
            "https://aka.ms/arm-syntax-resources for usage details."
        )
    tail = namespace + "".join(f"/{word}/{one}" for word, one in zip(types, names, strict=True))
    if kind.lower() == _GROUPS:
        return f"/subscriptions/{place.subscription}/resourceGroups/{name}"
    top = place.scope
    if "subscriptionId" in source or "resourceGroup" in source:
        subscription = to_text(scope.value(source.get("subscriptionId"))) or place.subscription
        group = to_text(scope.value(source.get("resourceGroup")))
        top = f"/subscriptions/{subscription}" + (f"/resourceGroups/{group}" if group else "")
    if "scope" in source:
        asked = to_text(scope.value(source["scope"]))
        top = asked if asked.startswith("/") else f"{place.scope}/providers/{asked}"
    return f"{top.rstrip('/')}/providers/{tail}"


# -- dependencies ------------------------------------------------------------------------------------------------


def _dependencies(planned: PlannedResource, found: list[PlannedResource]) -> Iterator[str]:
    listed = planned.source.get("dependsOn") or []
    if not isinstance(listed, list):
        raise TemplateError(
            f"The dependsOn of the template resource '{planned.id}' is not valid: it has to be an array."
        )
    for one in listed:
        asked = to_text(msgspec.structs.replace(planned.scope, runtime=None).value(one))
        matches = [other for other in find_planned(found, asked) if other is not planned]
        if not matches:
            raise TemplateError(
                f"The resource '{asked}' is not defined in the template. Please see https://aka.ms/arm-syntax for "
                "usage details."
            )
        yield from (other.key for other in matches)
    for call in _runtime_calls(planned.source):
        yield from (other.key for other in _referred(call, planned, found) if other is not planned)


def _runtime_calls(source: Any) -> Iterator[Function]:  # noqa: ANN401 - JSON
    """Yield the calls of reference() and of list functions in the properties of a resource."""
    if isinstance(source, str) and is_expression(source):
        for one in functions_in(parse(source)):
            if one.arguments and (one.name.lower() == "reference" or one.name.lower().startswith("list")):
                yield one
    elif isinstance(source, dict):
        for name, one in source.items():
            if name not in ("resources", "template", "dependsOn"):
                yield from _runtime_calls(one)
    elif isinstance(source, list):
        for one in source:
            yield from _runtime_calls(one)


def _referred(call: Function, planned: PlannedResource, found: list[PlannedResource]) -> list[PlannedResource]:
    try:
        asked = msgspec.structs.replace(planned.scope, runtime=None).expression(call.arguments[0])
    except TemplateError:  # it depends on another resource itself, or on an inner loop
        return []
    return find_planned(found, asked) if isinstance(asked, str) else []


def _in_order(found: list[PlannedResource]) -> list[PlannedResource]:
    done: dict[str, PlannedResource] = {}
    left = list(found)
    while left:
        ready = [one for one in left if all(key in done for key in one.depends)]
        if not ready:
            raise TemplateError(
                f"Circular dependency detected on resource: '{left[0].id}'. Please see "
                "https://aka.ms/arm-syntax-resources for usage details."
            )
        done.update({one.key: one for one in ready})
        left = [one for one in left if one.key not in done]
    return list(done.values())
