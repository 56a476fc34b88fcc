"""What denies a request: a policy, a lock, a missing right, or a missing registration; and what to do about it.

Source: Microsoft's troubleshooting pages of the codes RequestDisallowedByPolicy, ScopeLocked, AuthorizationFailed,
LinkedAuthorizationFailed and MissingSubscriptionRegistration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.provider_errors import MAX_DEPTH, CutText, read_json
from batchimg_magics.pool_spec.line import magic_word, shell_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LACKING = re.compile(
    r"perform (?:the )?action(?:\(s\)|s)? '(?P<action>[^']+)'(?P<rest>(?:(?!perform (?:the )?action).)*)$",
    re.DOTALL | re.IGNORECASE,
)
_SCOPE = re.compile(r"scope(?:\(s\)|s)? '(?P<scope>[^']+)'", re.IGNORECASE)
_LOCKED = re.compile(r"(?:are|is) locked:?\s*(?P<scopes>.*?)\.?\s*(?:Please remove|$)", re.DOTALL | re.IGNORECASE)
_NAMESPACE = re.compile(r"(?:namespace|provider) '(?P<name>[\w.]+)'", re.IGNORECASE)
_TAG = re.compile(r"tags\[\s*'?(?P<name>[^\]']+)'?\s*\]|tags\.(?P<plain>[\w.-]+)", re.IGNORECASE)
#: What to do about a policy that sets one of these parameters, by the parameter's name in lower case.
_PARAMETER_FIXES = {
    "listofallowedlocations": "the policy allows the regions {values}",
    "listofallowedskus": "choose one of the VM sizes that the policy allows: {values}",
    "listofresourcetypesallowed": "the policy allows only the resource types {values}",
}
ADMINISTRATOR_FIX = "ask the administrator of the policy for an exemption, or for what it allows"


@dataclass(frozen=True, slots=True)
class PolicyDenial:
    """A policy that denies a resource.

    Parameters
    ----------
    policy, assignment
        The names of the definition and of its assignment; empty where Azure does not tell.
    parameters
        The values of the parameters of the assignment.
    tags
        The names of the tags that its rule is about.
    """

    policy: str
    assignment: str
    parameters: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.assignment and self.assignment != self.policy:
            return f"policy {self.policy!r} (assignment {self.assignment!r})"
        return f"policy {self.policy!r}"

    @property
    def fix(self) -> str:
        """What to do about it."""
        given = {name.lower(): value for name, value in self.parameters.items()}
        if self.tags:
            value = str(given.get("tagvalue") or "VALUE")
            options = tag_options(dict.fromkeys(self.tags, value))
            return f"the policy demands tags: connect with them, `%batchimg connect ... {options}`"
        for name, text in _PARAMETER_FIXES.items():
            if isinstance(values := given.get(name), list):
                return text.format(values=", ".join(map(str, values)))
        return ADMINISTRATOR_FIX


def tag_options(wanted: Mapping[str, str]) -> str:
    """Return the options of `connect` for tags."""
    return " ".join(f"--tag {magic_word(f'{name}={value}')}" for name, value in wanted.items())


def read_policies(found: Any) -> list[PolicyDenial]:  # noqa: ANN401 - JSON
    """Return the policies that an error names, in its ``additionalInfo`` or in the identifiers in its message."""
    listed = list(_policies_in(found, MAX_DEPTH))
    informed = [one for one in listed if one.parameters or one.tags] or listed
    return list({(one.policy, one.assignment): one for one in reversed(informed)}.values())[::-1]


def _policies_in(found: Any, depth: int) -> Iterator[PolicyDenial]:  # noqa: ANN401 - JSON
    if isinstance(found, str):
        found = read_json(found)
    if not depth or not isinstance(found, dict | list):
        return
    if isinstance(found, dict):
        named = {name.lower(): value for name, value in found.items()}
        if names := _names(named):
            yield PolicyDenial(*names, *_demands(named))
    for one in found.values() if isinstance(found, dict) else found:
        yield from _policies_in(one, depth - 1)


def _names(named: dict[str, Any]) -> tuple[str, str] | None:
    """Return the names of a policy and its assignment in one object of an error."""

    def nested(kind: str) -> str:
        inner = named.get(kind)
        found = inner.get("name") if isinstance(inner, dict) else None
        return found if isinstance(found, str) else ""

    policy = named.get("policydefinitiondisplayname") or named.get("policydefinitionname") or nested("policydefinition")
    assignment = (
        named.get("policyassignmentdisplayname") or named.get("policyassignmentname") or nested("policyassignment")
    )
    policy, assignment = _whole(policy or assignment), _whole(assignment)
    return (policy, assignment) if policy else None


def _whole(name: object) -> str:
    return f"{name}..." if isinstance(name, CutText) else str(name or "")


def _demands(named: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the parameters of a policy, and the tags that its rule is about."""
    given = named.get("policyassignmentparameters")
    parameters = {
        name: value.get("value") if isinstance(value, dict) else value
        for name, value in (given if isinstance(given, dict) else {}).items()
    }
    tags = [str(value) for name, value in parameters.items() if name.lower() == "tagname" and value]
    details = named.get("evaluationdetails")
    evaluated = details.get("evaluatedExpressions") if isinstance(details, dict) else None
    for one in evaluated if isinstance(evaluated, list) else ():
        paths = [str(one.get(name) or "") for name in ("path", "expression")] if isinstance(one, dict) else []
        tags += [found["name"] or found["plain"] for path in paths if (found := _TAG.fullmatch(path.strip()))]
    return parameters, tuple(dict.fromkeys(tags))


def read_locked_scopes(message: str) -> tuple[str, ...]:
    """Return the locked scopes that the message of ScopeLocked names."""
    found = _LOCKED.search(message)
    return tuple(re.findall(r"'([^']+)'", found["scopes"])) if found else ()


def lock_fix(scopes: tuple[str, ...]) -> str:
    """Return what to do about locks."""
    if not scopes:
        return "remove the lock, or ask its owner; `az lock list` lists locks"
    group = re.search(r"/resourcegroups/([^/]+)", scopes[0], re.IGNORECASE)
    where = f" --resource-group {shell_word(group[1])}" if group else ""
    return (
        f"remove the lock on {' and '.join(scopes)}, or ask its owner; `az lock list{where}` lists locks, and "
        "`az lock delete --ids ID` removes one"
    )


def read_missing_right(message: str) -> tuple[str, str]:
    """Return the action that the caller may not perform and its scope; each empty where the message has none.

    A message may first name an action that the caller may perform: the last one counts.
    """
    found = _LACKING.search(message)
    if found is None:
        return "", ""
    scope = _SCOPE.search(found["rest"])
    return found["action"], scope["scope"] if scope else ""


def right_fix(message: str) -> str:
    """Return what to do about a missing right; empty where the message does not say which."""
    action, scope = read_missing_right(message)
    where = f" on {scope}" if scope else ""
    return f"request a role that allows {action}{where}" if action else ""


def registration_fix(message: str) -> str:
    """Return what to do about a resource provider that a subscription is not registered for."""
    found = _NAMESPACE.search(message)
    name = found["name"] if found else "NAMESPACE"
    register = f"az provider register --namespace {shell_word(name)}"
    return f"register the subscription: `{register}`, then run the same command again"
