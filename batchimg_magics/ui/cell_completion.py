"""Completion in `%batchimg` cells: lines, the YAML keys and values of bodies, and variables."""

from __future__ import annotations

import importlib
import os
import re
import threading
from functools import cache
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from batchimg_magics.ui.completion import Candidate, complete_line, complete_words, split_unfinished, with_prefix
from batchimg_magics.verbs.registry import VERB_NAMES, load_verb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.ui.completion import Names
    from batchimg_magics.verbs.verb import Verb

__all__ = ["complete_cell", "verb_at_cursor"]

#: After ``%``, ``%%``, ``x = %``, and ``%%batchimg x <<``; what follows is the line so far.
_MAGIC = re.compile(r"^\s*(?:[\w.\[\]'\", ]+=\s*)?(?P<mark>%{1,2})batchimg\s+(?:\w+\s*<<\s*)?(?P<line>.*)$", re.DOTALL)
_VARIABLE = re.compile(r"(?:\$|(?<!\$)\{)[^\W\d]?\w*$")
_KEY_VALUE = re.compile(r"(?P<indent>\s*(?:-\s+)*)(?P<key>[\w-]+):(?:\s+(?P<value>.*))?$")
_KEY = re.compile(r"(?P<indent>\s*(?:-\s+)*)(?P<fragment>[\w-]*)$")
#: Maximum real seconds that a completion waits for an import.
_IMPORT_WAIT_S = 0.4


def complete_cell(text: str, names: Names, variables: Mapping[str, Any]) -> tuple[str, list[Candidate]] | None:
    """Return the fragment before the cursor that is completed, and its completions.

    Parameters
    ----------
    text
        The text of the cell up to the cursor.
    names
        Returns known names, as `Session.names`.
    variables
        The variables of the user.

    Returns
    -------
    tuple of str and list of Candidate, or None
        None: the cursor is not in a `%batchimg` line or body.
    """
    lines = text.split("\n")
    cell = _MAGIC.match(_joined(lines[:1]))
    if len(lines) > 1 and cell and cell["mark"] == "%%":
        return _complete_body(cell["line"], lines[1:], names, variables)
    if not (match := _MAGIC.match(_joined(lines))):
        return None
    return _complete_variable(match["line"], variables) or complete_line(match["line"], names)


def verb_at_cursor(text: str) -> Verb | None:
    """Return the verb of the line at the cursor, or of the cell; None: there is none."""
    lines = text.split("\n")
    cell = _MAGIC.match(lines[0])
    match = cell if cell and cell["mark"] == "%%" else _MAGIC.match(_joined(lines))
    words = match["line"].split() if match else []
    return load_verb(words[0]) if words and words[0] in VERB_NAMES else None


def _joined(lines: list[str]) -> str:
    """Return the last line, with the lines before it that end with a backslash."""
    joined = lines[-1]
    for line in reversed(lines[:-1]):
        if not line.rstrip().endswith("\\"):
            break
        joined = f"{line.rstrip()[:-1]} {joined}"
    return joined


def _complete_variable(line: str, variables: Mapping[str, Any]) -> tuple[str, list[Candidate]] | None:
    """Complete ``$name`` and ``{name}``; None: there is no such reference at the cursor."""
    if not (match := _VARIABLE.search(line)):
        return None
    mark, end = match[0][0], "}" if match[0][0] == "{" else ""
    usable = [
        name
        for name, value in variables.items()
        if not name.startswith("_") and isinstance(value, (str, Real, os.PathLike))
    ]
    found = [Candidate(f"{mark}{name}{end}", "variable") for name in with_prefix(match[0][1:], sorted(usable))]
    return (match[0], found) if found or mark == "$" else None


# -- bodies ----------------------------------------------------------------------------------------------------------


def _complete_body(
    first: str, lines: list[str], names: Names, variables: Mapping[str, Any]
) -> tuple[str, list[Candidate]]:
    words, _ = split_unfinished(f"{first} ")
    verb = load_verb(words[0]) if words and words[0] in VERB_NAMES else None
    if verb is not None and verb.text_body:
        return _complete_formula(lines[-1])
    if (reference := _complete_variable(lines[-1], variables)) is not None:
        return reference
    if verb is None or not verb.takes_body:
        return "", []
    if match := _KEY_VALUE.fullmatch(lines[-1]):
        path = (*_parents(lines, len(match["indent"])), _normal(match["key"]))
        return _complete_value(verb, path, match["value"] or "", names)
    if match := _KEY.fullmatch(lines[-1]):
        return _complete_key(verb, lines, len(match["indent"]), match["fragment"])
    return "", []


def _complete_formula(line: str) -> tuple[str, list[Candidate]]:
    from batchimg_magics.ui.expansion import FORMULA_VARIABLES

    fragment = match[0] if (match := re.search(r"\$?\w*$", line)) else ""
    known = [f"${name}" for name in sorted(FORMULA_VARIABLES)]
    return fragment, [Candidate(one, "variable") for one in with_prefix(fragment, known)] if fragment else []


def _complete_key(verb: Verb, lines: list[str], indent: int, fragment: str) -> tuple[str, list[Candidate]]:
    path = _parents(lines, indent)
    keys = {option.keyword for option in verb.options if _is_key(option.keyword)} if not path else set()
    models = _models(path)
    keys |= {name for model in models for name in model.model_fields}
    if not path:
        keys -= {
            _normal(match["key"]) for line in lines[:-1] if (match := _KEY_VALUE.match(line)) and not match["indent"]
        }
        keys.discard("name")
    return fragment, [Candidate(one, "key") for one in with_prefix(fragment, sorted(keys))]


def _is_key(keyword: str) -> bool:
    """Return whether a keyword of a verb is a field of the body."""
    return keyword not in ("name", "spec", "replace", "yes", "wait", "dry_run", "kind", "pool", "all", "role")


def _complete_value(verb: Verb, path: tuple[str, ...], text: str, names: Names) -> tuple[str, list[Candidate]]:
    options = [one for one in verb.options if one.keyword == path[-1]] if len(path) == 1 else []
    fragment = text.strip("'\"")
    if options and options[0].metavar:
        _, found = complete_words([verb.name, *["x"] * _arguments(verb), options[0].flag], fragment, names)
        if found:
            return fragment, found
    values = ["true", "false"] if options and not options[0].metavar else []
    for model in _models(path[:-1]):
        if (field := model.model_fields.get(path[-1])) is not None:
            values += _literals(field.annotation)
    return fragment, [Candidate(one, "value") for one in with_prefix(fragment, dict.fromkeys(values))]


def _arguments(verb: Verb) -> int:
    return sum(option.is_positional for option in verb.options)


def _normal(key: str) -> str:
    return key.replace("-", "_")


def _parents(lines: list[str], indent: int) -> tuple[str, ...]:
    """Return the keys that the last line is inside of."""
    path: list[str] = []
    for line in reversed(lines[:-1]):
        match = _KEY_VALUE.fullmatch(line)
        if match and len(match["indent"]) < indent and not line.lstrip().startswith("#"):
            path.insert(0, _normal(match["key"]))
            indent = len(match["indent"])
    return tuple(path)


def _literals(annotation: Any) -> list[str]:  # noqa: ANN401 - an annotation of any kind
    """Return the words that an annotation allows."""
    if annotation is bool:
        return ["true", "false"]
    if get_origin(annotation) is Literal:
        return [str(one) for one in get_args(annotation) if isinstance(one, str)]
    return [word for inner in get_args(annotation) if inner is not annotation for word in _literals(inner)]


def _models(path: tuple[str, ...]) -> list[Any]:
    """Return the models of the body at a path; none as long as pydantic is being imported."""
    importing, loaded = _importing_models()
    importing.join(_IMPORT_WAIT_S)
    if not loaded:
        return []
    pool, validation_errors = loaded
    models: list[Any] = validation_errors.models_at(pool.PoolSpec, path)
    return models


@cache
def _importing_models() -> tuple[threading.Thread, list[Any]]:
    loaded: list[Any] = []

    def load() -> None:
        package = "batchimg_magics.pool_spec"
        loaded.extend(
            [importlib.import_module(f"{package}.pool"), importlib.import_module(f"{package}.validation_errors")]
        )

    thread = threading.Thread(target=load, name="batchimg-import", daemon=True)
    thread.start()
    return thread, loaded
