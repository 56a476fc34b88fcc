"""A template with the values of its parameters: its sections, its scope, its resources and its outputs.

Source: "Understand the structure and syntax of ARM templates".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.services.templates import planning
from batchimg_magics.emulator.services.templates.evaluation import Scope
from batchimg_magics.emulator.services.templates.expressions import TemplateError
from batchimg_magics.emulator.services.templates.parameters import TYPES, is_secret, parameter_values
from batchimg_magics.emulator.services.templates.text_functions import to_text
from batchimg_magics.emulator.services.templates.value_functions import to_bool
from batchimg_magics.emulator.services.templates.work import work_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchimg_magics.emulator.services.templates.azure_functions import Place
    from batchimg_magics.emulator.services.templates.planning import PlannedResource

_SECTIONS = frozenset(
    {"$schema", "contentVersion", "apiProfile", "parameters", "variables", "functions", "resources", "outputs"}
    | {"metadata", "languageVersion", "definitions", "asserts", "imports", "extensions"}
)
#: The most members of a section. Source: the limits of templates.
_MOST = {"parameters": 256, "variables": 256, "outputs": 64}
#: The letters of .NET's formats of dates -> those of Python.
_DATE_PARTS = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


class LoadedTemplate(msgspec.Struct):
    """A valid template.

    Parameters
    ----------
    document
        The template.
    place, scope
        Where it is deployed, and the scope of its outputs.
    resources
        In the order of their dependencies.
    """

    document: dict[str, Any]
    place: Place
    scope: Scope
    resources: list[PlannedResource]

    def shown_parameters(self) -> dict[str, Any]:
        """Return the parameters as responses show them: without the secret ones."""
        declared = self.document.get("parameters") or {}
        return {
            name: {"type": TYPES.get(str(one.get("type", "")).lower(), ("Object", ()))[0]}
            | ({} if is_secret(one) else {"value": self.scope.parameters.get(name)})
            for name, one in declared.items()
        }

    def outputs(self) -> dict[str, Any]:
        """Return the outputs, whose expressions may read resources."""
        scope = msgspec.structs.replace(self.scope, runtime=self.place.runtime)
        found: dict[str, Any] = {}
        for name, one in (self.document.get("outputs") or {}).items():
            if not isinstance(one, dict) or str(one.get("type", "")).lower() not in TYPES:
                raise TemplateError(f"The template output '{name}' is not valid: its type is missing or unknown.")
            if not to_bool(scope.value(one.get("condition", True))):
                continue
            loop = one.get("copy")
            value = scope.copied({"name": "", **loop}) if isinstance(loop, dict) else scope.value(one.get("value"))
            shown = {} if is_secret(one) else {"value": value}
            found[name] = {"type": TYPES[str(one["type"]).lower()][0], **shown}
        return found


def load(document: object, given: object, place: Place) -> LoadedTemplate:
    """Return a template with the values of its parameters, and its resources.

    Raises
    ------
    TemplateError
        The template or a parameter is not valid.
    UnsupportedTemplateError
        It uses something that the emulator has not.
    """
    template = _checked(document)
    if not isinstance(given, dict):
        raise TemplateError("The parameters of the deployment are not valid: they have to be an object.")
    if "parameters" in given and "contentVersion" in given:  # the whole file of parameters
        raise TemplateError(
            "The parameters of the deployment are not valid: they have the members of a parameter file."
        )
    functions = place.functions()
    scope = Scope(azure=functions, user=_user_functions(template), work=work_of(place.call))
    defaults = msgspec.structs.replace(scope, azure=functions | _default_functions(place))
    parameter_values(template.get("parameters") or {}, given, defaults)
    scope.variables = _variables(template, scope)
    resources = planning.plan(template, place, scope)

    def find(asked: str) -> tuple[str, str] | None:
        matches = planning.find_planned(resources, asked)
        return (matches[0].id, matches[0].version) if matches else None

    place.find = find
    return LoadedTemplate(template, place, scope, resources)


def _checked(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise TemplateError("The template is not valid: it has to be an object.")
    for name in ("$schema", "contentVersion", "resources"):
        if document.get(name) is None:
            raise TemplateError(f"Required property '{name}' not found in JSON. Path '', line 1, position 1.")
    if not re.search(r"deploymentTemplate\.json#?$", str(document["$schema"]), re.IGNORECASE):
        raise TemplateError(
            f"The value of the template's '$schema', '{document['$schema']}', is not valid. Please see "
            "https://aka.ms/arm-syntax for usage details."
        )
    if unknown := [name for name in document if name not in _SECTIONS]:
        raise TemplateError(f"Could not find member '{unknown[0]}' on object of type 'Template'. Path '{unknown[0]}'.")
    for name, most in _MOST.items():
        section = document.get(name) or {}
        if not isinstance(section, dict):
            raise TemplateError(f"The section '{name}' of the template is not valid: it has to be an object.")
        if len(section) > most:
            raise TemplateError(
                f"The number of template {name} limit exceeded. Limit: '{most}' and actual: '{len(section)}'."
            )
    return document


def _variables(template: dict[str, Any], scope: Scope) -> dict[str, Any]:
    """Return the variables, with those that a loop makes."""
    found = dict(template.get("variables") or {})
    loops = found.pop("copy", [])
    scope.variables = found
    for one in loops if isinstance(loops, list) else []:
        if isinstance(one, dict):
            found[to_text(one.get("name"))] = scope.copied(one)
    return found


def _user_functions(template: dict[str, Any]) -> dict[str, tuple[list[str], Any]]:
    found: dict[str, tuple[list[str], Any]] = {}
    for space in _objects(template.get("functions")):
        members = space.get("members")
        for name, one in (
            zip(members, _objects(list(members.values())), strict=True) if isinstance(members, dict) else ()
        ):
            names = [str(parameter.get("name")) for parameter in _objects(one.get("parameters"))]
            (output,) = _objects([one.get("output")])
            found[f"{space.get('namespace')}.{name}".lower()] = (names, output.get("value"))
    return found


def _objects(listed: object) -> list[dict[str, Any]]:
    """Return the objects in a part of the functions of a template."""
    found = [] if listed is None else listed
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise TemplateError("The functions of the template are not valid: please see https://aka.ms/arm-syntax.")
    return found


def _default_functions(place: Place) -> dict[str, Callable[..., Any]]:
    """Return the functions that only default values of parameters may use."""

    def now(how: object = "yyyyMMddTHHmmssZ") -> str:
        text = str(how)
        for letters, sign in _DATE_PARTS.items():
            text = text.replace(letters, sign)
        return datetime.fromtimestamp(place.now, UTC).strftime("%Y-%m-%d %H:%M:%SZ" if how == "u" else text)

    return {"utcnow": now, "newguid": lambda: place.call.store.new_guid("template")}
