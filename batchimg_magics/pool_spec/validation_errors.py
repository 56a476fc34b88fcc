"""Convert pydantic's validation errors to one line with the key, its line in the YAML body, and the expected value."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import yaml
from pydantic import BaseModel

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.body import compose_body
from batchimg_magics.pool_spec.line import option_flag
from batchimg_magics.pool_spec.values import suggest_name, value_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import ValidationError

__all__ = ["models_at", "to_spec_error"]

#: The tags of mounts, which pydantic includes in the location of an error.
_MOUNT_TYPES = frozenset({"blob", "files", "nfs", "cifs"})
_MISSING = " is missing"
_UNKNOWN = " is not known"
#: Types of values that an error may quote; a value with parts may contain a secret.
_QUOTED = (str, int, float, bool, type(None))
#: Expected values by pydantic's type of error. Source: pydantic, "Validation Errors".
_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping (key: value)",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "a number above {gt:,}",
    "greater_than_equal": "a number of at least {ge:,}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than": "a number below {lt:,}",
    "less_than_equal": "a number of at most {le:,}",
    "literal_error": "{expected}",
    "model_attributes_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "list_type": "a list",
    "string_pattern_mismatch": "text of another form",
    "string_too_long": "text of at most {max_length} characters",
    "string_too_short": "text that is not empty",
    "string_type": "text",
    "too_long": "a list of at most {max_length} entries",
    "too_short": "a list of at least {min_length} entries",
    "tuple_type": "a list",
    "union_tag_invalid": "a mapping whose {discriminator} is one of {expected_tags}",
    "union_tag_not_found": "a mapping with {discriminator}",
}


@dataclass(frozen=True, slots=True)
class _Location:
    """The location of an error.

    Parameters
    ----------
    path
        Keys, and indexes in lists.
    line
        The line in the body; 0: the value is not in the body.
    """

    path: tuple[str | int, ...]
    line: int

    @property
    def keys(self) -> list[str]:
        return [str(part) for part in self.path]

    @property
    def name(self) -> str:
        return ".".join(self.keys)

    @property
    def prefix(self) -> str:
        return f"line {self.line}: " if self.line else ""

    @property
    def is_nested(self) -> bool:
        return len(self.path) > 1


def to_spec_error(
    error: ValidationError, model: type[BaseModel], text: str, more: Sequence[SpecError] = ()
) -> SpecError:
    """Return pydantic's errors as one `SpecError`, so that all of them can be corrected at once.

    Parameters
    ----------
    error
        All errors of a validation.
    model
        The model that was validated.
    text
        The YAML body; empty: there is none.
    more
        Further errors, which pydantic did not look for because of the others.
    """
    errors = error.errors(include_url=False)
    unknown = [str(one["loc"][-1]) for one in errors if one["type"] == "extra_forbidden"]
    found = [
        _spec_error(one, model, text)
        for one in sorted(errors, key=lambda one: one["type"] != "extra_forbidden")
        # A missing key is often a misspelt one, which is also an unknown key.
        if one["type"] != "missing" or not difflib.get_close_matches(str(one["loc"][-1]), unknown, n=1)
    ]
    combined = _combined([*found, *more])
    return _in_yaml(combined, model) if text else combined


def _in_yaml(error: SpecError, model: type[BaseModel]) -> SpecError:
    """Return an error with the keys of the body in place of options."""

    def key(match: re.Match[str]) -> str:
        name, word = _normal(match["option"]), match["word"] or ""
        if name not in model.model_fields:
            return match[0]
        annotation = model.model_fields[name].annotation
        if re.fullmatch(r"\d.*|[A-Z]+", word) or f"{word!r}" in f"{annotation}":
            return f"{name}: {word}"
        ending = ": true" if match["add"] is not None and annotation is bool else ""
        return f"{name}{ending}{f' {word}' if word else ''}"

    def translate(text: str) -> str:
        text = re.sub(r"(?P<add>(?<=add ))?--(?P<option>[a-z][a-z-]*[a-z])(?: (?P<word>[\w.%]+))?", key, text)
        return re.sub(r"(\w: [\w.%]+) (?=\w+: \w)", r"\1, ", text)

    return SpecError(translate(error.message), hint=translate(error.hint))


def _normal(key: str) -> str:
    return key.replace("-", "_")


def _combined(found: Sequence[SpecError]) -> SpecError:
    """Return several errors as one; missing keys are named together."""
    missing = list(dict.fromkeys(one.message.removesuffix(_MISSING) for one in found if one.message.endswith(_MISSING)))
    messages = [one.message for one in found if not one.message.endswith(_MISSING)]
    if missing:
        *names, last = missing
        unknown = sum(message.endswith(_UNKNOWN) for message in messages)  # they are the first
        messages.insert(unknown, f"{', '.join(names)} and {last} are missing" if names else f"{last}{_MISSING}")
    hints = dict.fromkeys(one.hint for one in found if one.hint)
    return SpecError("; ".join(dict.fromkeys(messages)), hint="; ".join(hints))


def _spec_error(error: Any, model: type[BaseModel], text: str) -> SpecError:  # noqa: ANN401 - pydantic's ErrorDetails
    path = _key_path(error["loc"])
    location = _Location(path, _line_number(path, text))
    if isinstance(cause := error.get("ctx", {}).get("error"), SpecError):
        if not location.is_nested:
            named = any(name in cause.message for name in (location.name, option_flag(location.name)))
            key = f"{location.name}: " if location.line and not named else ""
            return SpecError(f"{location.prefix}{key}{cause.message}", hint=cause.hint)
        return SpecError(f"{location.prefix}{location.name}: {cause.message}", hint=cause.hint)
    if error["type"] == "extra_forbidden":
        known = _known_keys(model, path[:-1])
        return SpecError(f"{location.prefix}{location.name!r}{_UNKNOWN}", hint=suggest_name(location.keys[-1], known))
    if error["type"] == "missing":
        return _missing_key_error(location, in_body=bool(text))
    if location.line:
        return _body_value_error(location, error, model)
    return _value_error(location, error["input"], _expectation(error), model)


def _missing_key_error(location: _Location, *, in_body: bool) -> SpecError:
    if location.is_nested:
        key = location.keys[-1]
        return SpecError(f"{location.prefix}{location.name}{_MISSING}", hint=f"write `{key}:` there")
    if in_body:
        return SpecError(f"{location.name}{_MISSING}", hint=f"add a line `{location.name}: ...` to the body")
    option = option_flag(location.name)
    return SpecError(f"{location.name}{_MISSING}", hint=f"specify {option}, or `{location.name}:` in the body")


def _body_value_error(location: _Location, error: Mapping[str, Any], model: type[BaseModel]) -> SpecError:
    value = error["input"]
    found = f", not {value_text(value)}" if isinstance(value, _QUOTED) and not models_at(model, location.path) else ""
    wanted = _number_words(error, model, location.path) or _expectation(error).removeprefix("expected ")
    return SpecError(
        f"{location.prefix}{location.name} must be {wanted}{found}", hint=f"correct line {location.line} of the body"
    )


def _number_words(error: Mapping[str, Any], model: type[BaseModel], path: tuple[str | int, ...]) -> str:
    """Return which number a field accepts, whatever rule the value breaks; empty: it is no number."""
    fields = (one.model_fields[str(path[-1])] for one in models_at(model, path[:-1]) if path[-1] in one.model_fields)
    for field in fields:
        text = f"{field.annotation}"
        kind = "a whole number" if "int" in re.findall(r"\w+", text) else "a number" if "float" in text else ""
        rules = [
            *field.metadata,
            *(rule for one in get_args(field.annotation) for rule in getattr(one, "__metadata__", ())),
        ]
        rules += [inner for rule in rules for inner in getattr(rule, "metadata", ())]
        low = next((rule.ge for rule in rules if hasattr(rule, "ge")), None)
        if not kind or not str(error["type"]).startswith(("int", "float", "greater", "less", "finite")):
            return ""
        if str(error["type"]).startswith("less"):
            return f"{kind}, {error['ctx'].get('le', error['ctx'].get('lt')):,g} or less"
        return kind if low is None else f"{kind}, {low:,g} or more"
    return ""


def _value_error(location: _Location, value: object, expectation: str, model: type[BaseModel]) -> SpecError:
    # A value at the place of a part with keys is not quoted: it may be a secret.
    quoted = f" is {value_text(value)}" if isinstance(value, _QUOTED) and not models_at(model, location.path) else ""
    if location.is_nested and models_at(model, location.path[:1]):
        place = location.name  # a part without an option
    else:
        place = option_flag(location.keys[0]) if location.keys else "the options"
    return SpecError(f"{location.name}{quoted}: {expectation}", hint=f"correct {place}")


def _expectation(error: Mapping[str, Any]) -> str:
    """Return the expected value of an error."""
    if (template := _EXPECTED.get(error["type"])) is not None:
        return f"expected {template.format(**error.get('ctx', {}))}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return "expected another value"


def _key_path(loc: Sequence[str | int]) -> tuple[str | int, ...]:
    """Return keys and indexes only, without the union alternatives that pydantic adds."""
    before = (None, *loc)
    return tuple(
        part
        for earlier, part in zip(before, loc, strict=False)
        if part != "[key]" and not (isinstance(earlier, int) and part in _MOUNT_TYPES)
    )


def _line_number(path: Iterable[str | int], text: str) -> int:
    """Return the line in the body of the deepest part of a path that the body contains; 0: none."""
    node, line = (compose_body(text) if text else None), 0
    for part in path:
        child = _child_node(node, part)
        if child is None:
            break
        line, node = child
    return line


def _child_node(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    """Return the line of a key or an index in a node, and its value."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if _normal(str(key.value)) == part or key.value == part:
                return key.start_mark.line + 1, value
    return None


def _known_keys(model: type[BaseModel], path: Iterable[str | int]) -> set[str]:
    """Return the keys that are allowed at a path."""
    return {name for one in models_at(model, path) or [model] for name in one.model_fields}


def models_at(model: type[BaseModel], path: Iterable[str | int]) -> list[type[BaseModel]]:
    """Return the models that are allowed at a path; none for a plain value."""
    models = [model]
    for part in path:
        if isinstance(part, str):
            models = [one for each in models if part in each.model_fields for one in _models(each.model_fields[part])]
    return models


def _models(field: Any) -> list[type[BaseModel]]:  # noqa: ANN401 - a field, or an annotation of any kind
    """Return the models in a field's annotation."""
    one = getattr(field, "annotation", field)
    if isinstance(one, type) and issubclass(one, BaseModel):
        return [one]
    return [model for inner in get_args(one) for model in _models(inner)]
