"""Parameters of templates: the given values, the defaults, and what a template allows.

Source: "Parameters in ARM templates"; the texts of the refusals as Azure's users quote them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.services.templates.expressions import TemplateError, UnsupportedTemplateError
from batchimg_magics.emulator.services.templates.text_functions import type_word

if TYPE_CHECKING:
    from batchimg_magics.emulator.services.templates.evaluation import Scope

#: Type in lower case -> (type in Azure's spelling, types of JSON).
TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "string": ("String", (str,)),
    "securestring": ("SecureString", (str,)),
    "int": ("Int", (int,)),
    "bool": ("Bool", (bool,)),
    "object": ("Object", (dict,)),
    "secureobject": ("SecureObject", (dict,)),
    "array": ("Array", (list,)),
}
_SECRET = frozenset({"securestring", "secureobject"})
_EXPECTED = {"String": "String, Uri", "SecureString": "String, Uri", "Int": "Integer", "Bool": "Boolean"}


def is_secret(declared: dict[str, Any]) -> bool:
    """Tell whether a parameter or an output must not be shown."""
    return str(declared.get("type", "")).lower() in _SECRET


def parameter_values(declared: dict[str, Any], given: dict[str, Any], scope: Scope) -> dict[str, Any]:
    """Return the values of the parameters of a template.

    Parameters
    ----------
    declared
        The section ``parameters`` of the template.
    given
        The parameters of the deployment: objects with a ``value``.
    scope
        For the default values; it gets the parameters as they are evaluated.

    Raises
    ------
    TemplateError
        A value is missing, unknown, or not allowed.
    UnsupportedTemplateError
        A value is a reference to a key vault.
    """
    known = {name.lower(): name for name in declared}
    if unknown := [name for name in given if name.lower() not in known]:
        raise TemplateError(
            f"The template parameters '{', '.join(unknown)}' in the parameters file are not valid; they are not "
            "present in the original template and can therefore not be provided at deployment time. The only supported "
            f"parameters for this template are '{', '.join(declared)}'. Please see "
            "https://aka.ms/arm-pass-parameter-values for usage details."
        )
    asked = {known[name.lower()]: value for name, value in given.items()}
    for name, one in declared.items():
        if not isinstance(one, dict):
            raise TemplateError(f"The template parameter '{name}' is not valid: it has to be an object.")
        value = _value(name, one, asked.get(name), scope)
        _check(name, one, value)
        scope.parameters[name] = value
    return scope.parameters


def _value(name: str, declared: dict[str, Any], given: object, scope: Scope) -> Any:  # noqa: ANN401 - JSON
    if isinstance(given, dict) and "reference" in given:
        raise UnsupportedTemplateError(f"the reference to a key vault in the parameter '{name}'")
    if isinstance(given, dict) and "value" in given:
        return given["value"]
    if "defaultValue" in declared:
        return scope.value(declared["defaultValue"])
    if declared.get("nullable") is True:
        return None
    raise TemplateError(
        f"The value for the template parameter '{name}' is not provided. Please see "
        "https://aka.ms/arm-create-parameter-file for usage details."
    )


def _check(name: str, declared: dict[str, Any], value: Any) -> None:  # noqa: ANN401 - JSON
    if "$ref" in declared or (value is None and declared.get("nullable") is True):
        return
    word = str(declared.get("type", "")).lower()
    if word not in TYPES:
        raise TemplateError(f"The type '{declared.get('type', '')}' of the template parameter '{name}' is not valid.")
    spelled, kinds = TYPES[word]
    if not isinstance(value, kinds) or (word == "int" and isinstance(value, bool)):
        raise TemplateError(
            f"The provided value for the template parameter '{name}' is not valid. Expected a value of type "
            f"'{_EXPECTED.get(spelled, spelled)}', but received a value of type '{type_word(value)}'. Please see "
            "https://aka.ms/arm-create-parameter-file for usage details."
        )
    allowed = declared.get("allowedValues")
    if isinstance(allowed, list):
        wrong = [one for one in value if one not in allowed] if isinstance(value, list) else []
        if wrong or (not isinstance(value, list) and value not in allowed):
            shown = "" if is_secret(declared) else f" '{value}'"
            raise TemplateError(
                f"The provided value{shown} for the template parameter '{name}' is not valid. The parameter value is "
                f"not part of the allowed value(s): '{','.join(map(str, allowed))}'."
            )
    _check_bounds(name, declared, value)


def _check_bounds(name: str, declared: dict[str, Any], value: Any) -> None:  # noqa: ANN401 - JSON
    number = value if isinstance(value, int) else None
    length = len(value) if isinstance(value, str | list) else None
    sizes = (("minValue", "maxValue", number, "value"), ("minLength", "maxLength", length, "length"))
    for low, high, size, what in sizes:
        least, most = declared.get(low), declared.get(high)
        if size is None:
            continue
        if (isinstance(least, int) and size < least) or (isinstance(most, int) and size > most):
            raise TemplateError(
                f"The provided value for the template parameter '{name}' is not valid. The {what} '{size}' is out of "
                f"range: {low} '{least}', {high} '{most}'. Please see https://aka.ms/arm-create-parameter-file."
            )
