"""Conditions of Azure Policy, judged on a resource that does not exist yet: true, false, or unknown.

What a condition asks for and this tool does not know, such as a property that is chosen later, is unknown; so are
template functions other than ``parameters`` and ``concat``, and ``count``.

Source: the documents of Azure Policy: policy rules, conditions, aliases, and effects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from batchimg_magics.core.azure.documents import Json

_PARAMETER = re.compile(r"\[\s*parameters\(\s*'([^']+)'\s*\)\s*\]", re.IGNORECASE)
_CONCAT = re.compile(r"\[\s*concat\((.*)\)\s*\]", re.IGNORECASE)
_PART = re.compile(r"'((?:[^']|'')*)'|parameters\(\s*'([^']+)'\s*\)", re.IGNORECASE)
_TAG = re.compile(r"tags(?:\.([^\[\]]+)|\[\s*'?([^'\]]+)'?\s*\])", re.IGNORECASE)
#: What a condition cannot be judged by.
UNKNOWN = object()


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that is assigned to a scope: the definition with the values of its parameters.

    Parameters
    ----------
    name, assignment
        What people see of it: the display name of the definition, and that of the assignment.
    definition
        The document of the definition; None if it could not be read.
    parameters
        Parameter to value, in lower case.
    """

    name: str
    assignment: str
    definition: Json | None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def effect(self) -> str:
        """What the policy does, in lower case; empty if that is not known."""
        effect = self.resolve((self._rule.get("then") or {}).get("effect", ""))
        return "" if effect is UNKNOWN else str(effect).lower()

    @property
    def tag_names(self) -> list[str]:
        """The tags that its conditions name."""
        names = [str(self.resolve(one)) for one in _members(self._rule.get("if"), "field")]
        return list(dict.fromkeys(tag for one in names if (tag := _tag_of(one))))

    @property
    def values(self) -> list[str]:
        """The texts that its conditions compare with."""
        found = [self.resolve(one) for one in _members(self._rule.get("if"), "equals", "like")]
        return [one for one in found if isinstance(one, str)]

    @property
    def _rule(self) -> Json:
        found: Json = _properties(self.definition).get("policyRule", {})
        return found

    def denies(self, resource: Json) -> bool | None:
        """Tell whether it denies a resource; None if that is not known.

        Parameters
        ----------
        resource
            Its ``type``, ``location``, ``name``, ``tags``, and values of aliases under ``aliases``, in lower case.
        """
        if self.definition is None or not self.effect:
            return None
        if self.effect != "deny":
            return False
        # Mode Indexed is only for types with tags and a location.
        mode = str(_properties(self.definition).get("mode", "Indexed"))
        if mode.lower() == "indexed" and not resource.get("location"):
            return False
        return self._holds(self._rule.get("if"), resource)

    def _holds(self, rule: object, resource: Json) -> bool | None:
        if not isinstance(rule, dict):
            return None
        if "not" in rule:
            inner = self._holds(rule["not"], resource)
            return None if inner is None else not inner
        for word, decided in (("allOf", False), ("anyOf", True)):
            if word in rule:
                return _all(decided, (self._holds(one, resource) for one in rule[word]))
        if "field" not in rule:
            return None
        actual = self._field(self.resolve(rule["field"]), resource)
        (operator, operand) = next(((key, one) for key, one in rule.items() if key != "field"), ("", None))
        judge, wanted = _OPERATORS.get(operator.lower()), self.resolve(operand)
        return None if judge is None or actual is UNKNOWN or wanted is UNKNOWN else judge(actual, wanted)

    def resolve(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        """Return a value without template functions."""
        if isinstance(value, list):
            return [self.resolve(one) for one in value]
        if not isinstance(value, str) or not value.startswith("[") or value.startswith("[["):
            return value
        if found := _PARAMETER.fullmatch(value):
            return self._parameter(found[1])
        if found := _CONCAT.fullmatch(value):
            parts = [self._parameter(name) if name else text for text, name in _PART.findall(found[1])]
            return UNKNOWN if UNKNOWN in parts else "".join(map(str, parts))
        return UNKNOWN

    def _parameter(self, name: str) -> Any:  # noqa: ANN401 - JSON
        if name.lower() in self.parameters:
            return self.parameters[name.lower()]
        declared = {key.lower(): one for key, one in (_properties(self.definition).get("parameters") or {}).items()}
        return (declared.get(name.lower()) or {}).get("defaultValue", UNKNOWN)

    @staticmethod
    def _field(name: object, resource: Json) -> Any:  # noqa: ANN401 - JSON
        if not isinstance(name, str):
            return UNKNOWN
        tags = {key.lower(): value for key, value in (resource.get("tags") or {}).items()}
        if tag := _tag_of(name):
            return tags.get(tag.lower())
        low = name.lower()
        if low in ("type", "location", "name", "fullname", "kind"):
            return resource.get("name" if low == "fullname" else low)
        return tags if low == "tags" else (resource.get("aliases") or {}).get(low, UNKNOWN)


def _all(decided: bool, found: Iterable[bool | None]) -> bool | None:  # noqa: FBT001 - the value that decides
    """Combine conditions: one with the deciding value is enough; unknown ones may have it."""
    listed = list(found)
    return decided if decided in listed else None if None in listed else not decided


def _properties(definition: Json | None) -> Json:
    found: Json = (definition or {}).get("properties") or {}
    return found


def _tag_of(name: str) -> str:
    found = _TAG.fullmatch(name)
    return (found[1] or found[2]) if found else ""


def _members(rule: object, *names: str) -> list[object]:
    """Return the values of members of a rule, at any depth."""
    if isinstance(rule, list):
        return [one for each in rule for one in _members(each, *names)]
    if not isinstance(rule, dict):
        return []
    own = [rule[name] for name in names if name in rule]
    return own + [one for each in rule.values() for one in _members(each, *names)]


def _text(value: object) -> str:
    return (
        ("true" if value else "false") if isinstance(value, bool) else str(value if value is not None else "").lower()
    )


def _within(actual: object, wanted: object) -> bool:
    listed = wanted if isinstance(wanted, list) else [wanted]
    # Regions are written with and without spaces.
    return _text(actual).replace(" ", "") in {_text(one).replace(" ", "") for one in listed}


def _like(actual: object, wanted: object) -> bool:
    return fnmatchcase(_text(actual), _text(wanted).replace("[", "[[]"))


def _contains(actual: object, wanted: object) -> bool:
    return _text(wanted) in ([_text(one) for one in actual] if isinstance(actual, list) else _text(actual))


def _exists(actual: object, wanted: object) -> bool:
    return (actual not in (None, "")) == (_text(wanted) == "true")


def _contains_key(actual: object, wanted: object) -> bool:
    return isinstance(actual, dict) and _text(wanted) in actual


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda actual, wanted: _within(actual, [wanted]),
    "notequals": lambda actual, wanted: not _within(actual, [wanted]),
    "in": _within,
    "notin": lambda actual, wanted: not _within(actual, wanted),
    "like": _like,
    "notlike": lambda actual, wanted: not _like(actual, wanted),
    "contains": _contains,
    "notcontains": lambda actual, wanted: not _contains(actual, wanted),
    "containskey": _contains_key,
    "notcontainskey": lambda actual, wanted: not _contains_key(actual, wanted),
    "exists": _exists,
}
