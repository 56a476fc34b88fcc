"""The conditions of policy rules, evaluated for one resource.

Source: "Azure Policy definition structure: policy rule" in the documents of Azure Policy. Comparisons ignore case.
Not implemented: ``count``, and other template functions than those in `_FUNCTIONS`; a rule that uses them does not
match.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
#: Aliases whose value is not at the path that they name.
_ALIASES = {
    "microsoft.compute/virtualmachines/sku.name": "properties.hardwareProfile.vmSize",
    "microsoft.compute/imagepublisher": "properties.storageProfile.imageReference.publisher",
    "microsoft.compute/imageoffer": "properties.storageProfile.imageReference.offer",
    "microsoft.compute/imagesku": "properties.storageProfile.imageReference.sku",
    "microsoft.network/networkinterfaces/ipconfigurations[*].publicipaddress.id": (
        "properties.ipConfigurations[*].properties.publicIPAddress.id"
    ),
}
_TOP_LEVEL = frozenset({"id", "name", "type", "kind", "location", "tags", "sku", "identity", "zones", "plan"})
_TAG = re.compile(r"tags(?:\[\s*'?(?P<quoted>.+?)'?\s*\]|\.(?P<plain>.+))", re.IGNORECASE)
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\)(?P<path>[.\w]*)", re.DOTALL)


class UnsupportedRuleError(ValueError):
    """A rule uses something that is not implemented."""


def evaluate(condition: object, resource: Json, parameters: Json) -> bool:
    """Tell whether a resource meets a condition.

    Parameters
    ----------
    condition
        The ``if`` of a policy rule, or a part of it.
    resource
        The resource as it would be after the request, in the form of ARM, with its ``type`` and ``id``.
    parameters
        The values of the parameters of the policy.

    Raises
    ------
    UnsupportedRuleError
        The condition uses something that is not implemented.
    """
    if not isinstance(condition, dict):
        raise UnsupportedRuleError(str(condition))
    rule = {str(name).lower(): value for name, value in condition.items()}
    if "allof" in rule:
        return all(evaluate(one, resource, parameters) for one in rule["allof"])
    if "anyof" in rule:
        return any(evaluate(one, resource, parameters) for one in rule["anyof"])
    if "not" in rule:
        return not evaluate(rule["not"], resource, parameters)
    name = next((one for one in rule if one in _OPERATORS), None)
    if name is None or not ({"field", "value"} & rule.keys()):
        raise UnsupportedRuleError(str(condition))
    wanted = resolve(rule[name], resource, parameters)
    if "value" in rule:
        return _OPERATORS[name](resolve(rule["value"], resource, parameters), wanted)
    found = read_field(str(resolve(rule["field"], resource, parameters)), resource)
    return all(_OPERATORS[name](one, wanted) for one in found)


# -- fields ------------------------------------------------------------------------------------------------------


def read_field(field: str, resource: Json) -> list[Any]:
    """Return the values of a field: one, None where the resource has none, or those of the members of an array."""
    if tag := _TAG.fullmatch(field):
        return [_member(resource.get("tags") or {}, tag["quoted"] or tag["plain"])]
    low = field.lower()
    if low == "fullname":
        return ["/".join(re.split(r"/", str(resource.get("id", "")).rpartition("/providers/")[2])[2::2])]
    if "/" not in field:
        return _walk(resource, field.split("."))
    kind = str(resource.get("type", "")).lower()
    path = _ALIASES.get(low) or (field[len(kind) + 1 :] if low.startswith(f"{kind}/") else "")
    if not path:
        return [None]  # an alias of another type
    parts = path.split(".")
    inside = low in _ALIASES or (parts[0].lower() in _TOP_LEVEL and parts[0] in resource)
    return _walk(resource, parts if inside else ["properties", *parts])


def _walk(value: object, parts: list[str]) -> list[Any]:
    for number, part in enumerate(parts):
        value = _member(value, part.removesuffix("[*]"))
        if part.endswith("[*]"):
            rest = parts[number + 1 :]
            return [found for one in value for found in _walk(one, rest)] if isinstance(value, list) else []
        # In aliases the properties of a nested resource are on one level with its name.
        if isinstance(value, dict) and number + 1 < len(parts) and _member(value, parts[number + 1]) is None:
            inner = value.get("properties")
            value = inner if isinstance(inner, dict) else value
    return [value]


def _member(value: object, name: str) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(value, dict):
        return None
    return next((one for key, one in value.items() if str(key).lower() == name.lower()), None)


# -- operators ---------------------------------------------------------------------------------------------------


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | str | int | float) else "" if value is None else str(value)


def _equals(found: object, wanted: object) -> bool:
    return found is not None and _text(found) == _text(wanted)


def _is_in(found: object, wanted: object) -> bool:
    return any(_equals(found, one) for one in wanted) if isinstance(wanted, list) else False


def _contains(found: object, wanted: object) -> bool:
    if isinstance(found, list):
        return any(_equals(one, wanted) for one in found)
    return found is not None and _text(wanted) in _text(found)


def _exists(found: object, wanted: object) -> bool:
    return (found is not None) == (_text(wanted) == "true")


def _like(found: object, wanted: object) -> bool:
    pattern = re.sub(r"([\[\]?])", r"[\1]", _text(wanted))  # only the asterisk is a wildcard
    return found is not None and fnmatch.fnmatchcase(_text(found), pattern)


def _match(found: object, wanted: object) -> bool:
    signs = {"#": r"\d", "?": "[a-zA-Z]", ".": "."}
    pattern = "".join(signs.get(sign, re.escape(sign)) for sign in str(wanted))
    return found is not None and re.fullmatch(pattern, str(found), re.IGNORECASE) is not None


def _has_key(found: object, wanted: object) -> bool:
    return isinstance(found, dict) and any(_equals(key, wanted) for key in found)


def _compared(compare: Callable[[float, float], bool]) -> Callable[[object, object], bool]:
    def operator(found: object, wanted: object) -> bool:
        try:
            return compare(float(str(found)), float(str(wanted)))
        except ValueError:
            return False

    return operator


def _negated(operator: Callable[[object, object], bool]) -> Callable[[object, object], bool]:
    return lambda found, wanted: not operator(found, wanted)


_OPERATORS: dict[str, Callable[[object, object], bool]] = {
    "equals": _equals,
    "notequals": _negated(_equals),
    "in": _is_in,
    "notin": _negated(_is_in),
    "contains": _contains,
    "notcontains": _negated(_contains),
    "containskey": _has_key,
    "notcontainskey": _negated(_has_key),
    "like": _like,
    "notlike": _negated(_like),
    "match": _match,
    "notmatch": _negated(_match),
    "matchinsensitively": _match,
    "notmatchinsensitively": _negated(_match),
    "exists": _exists,
    "greater": _compared(lambda found, wanted: found > wanted),
    "greaterorequals": _compared(lambda found, wanted: found >= wanted),
    "less": _compared(lambda found, wanted: found < wanted),
    "lessorequals": _compared(lambda found, wanted: found <= wanted),
}


# -- template functions ------------------------------------------------------------------------------------------


def resolve(value: object, resource: Json, parameters: Json) -> Any:  # noqa: ANN401 - JSON
    """Return a value of a rule, with its template functions evaluated.

    Raises
    ------
    UnsupportedRuleError
        A function is not implemented, or a parameter is missing.
    """
    if isinstance(value, list):
        return [resolve(one, resource, parameters) for one in value]
    if not (isinstance(value, str) and value.startswith("[") and value.endswith("]")) or value.startswith("[["):
        return value
    return _expression(value[1:-1].strip(), resource, parameters)


def _expression(text: str, resource: Json, parameters: Json) -> Any:  # noqa: ANN401 - JSON
    if text.startswith("'") and text.endswith("'"):
        return text[1:-1].replace("''", "'")
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    called = _CALL.fullmatch(text)
    if called is None or called["name"].lower() not in _FUNCTIONS:
        raise UnsupportedRuleError(text)
    arguments = [_expression(one, resource, parameters) for one in _split_arguments(called["arguments"])]
    found = _FUNCTIONS[called["name"].lower()](arguments, resource, parameters)
    return _walk(found, called["path"].strip(".").split("."))[0] if called["path"] else found


def _split_arguments(text: str) -> list[str]:
    parts, depth, quoted, begin = [], 0, False, 0
    for at, sign in enumerate(text):
        quoted ^= sign == "'"
        depth += 0 if quoted else (sign == "(") - (sign == ")")
        if sign == "," and not depth and not quoted:
            parts.append(text[begin:at].strip())
            begin = at + 1
    return [*parts, text[begin:].strip()] if text.strip() else []


def _parameter(arguments: list[Any], _: Json, parameters: Json) -> Any:  # noqa: ANN401 - JSON
    if len(arguments) != 1 or _member(parameters, str(arguments[0])) is None:
        raise UnsupportedRuleError(f"parameters({arguments})")
    return _member(parameters, str(arguments[0]))


_FUNCTIONS: dict[str, Callable[[list[Any], Json, Json], Any]] = {
    "parameters": _parameter,
    "concat": lambda arguments, _, __: "".join(map(str, arguments)),
    "field": lambda arguments, resource, _: read_field(str(arguments[0]), resource)[0],
    "tolower": lambda arguments, _, __: str(arguments[0]).lower(),
    "toupper": lambda arguments, _, __: str(arguments[0]).upper(),
}
