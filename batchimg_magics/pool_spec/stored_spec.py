"""A spec as a document that can be kept in a file: without secrets, and the same spec again from it.

Secrets in a spec are references to environment variables, which are kept. The values of a start task's environment, and
texts with tokens, may be secrets as well: the document has a hash of each, which takes long to guess from.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from batchimg_magics.errors import SpecError
from batchimg_magics.masking import mask_tokens
from batchimg_magics.pool_spec.pool import PoolSpec
from batchimg_magics.pool_spec.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["differing_fields", "read_spec", "stored_values"]

#: A value that is not stored, and its hash.
_WITHHELD = re.compile(r"withheld: ([0-9a-f]{32})")
#: TOML has no null.
_NONE = "(none)"
_ENVIRONMENT = ("start_task", "environment")


def stored_values(spec: PoolSpec, salt: str) -> dict[str, Any]:
    """Return the fields of a spec that have no default value, as text, numbers, lists and mappings, without secrets.

    Parameters
    ----------
    spec
        The spec; its name is not among the values.
    salt
        A text that differs for each pool, so that equal values have different hashes.

    Raises
    ------
    SpecError
        A value would be another one when it is read again.
    """
    values: dict[str, Any] = _stored(spec, (), salt)
    del values["name"]
    return values


def _stored(value: Any, path: tuple[str, ...], salt: str) -> Any:  # noqa: ANN401 - any value of a field
    if isinstance(value, BaseModel):
        return {name: _stored(one, (*path, name), salt) for name, one in _given(value)}
    if isinstance(value, Mapping) and not _are_settings(path):
        return {str(name): _stored(one, (*path, str(name)), salt) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_stored(one, (*path, str(place)), salt) for place, one in enumerate(value)]
    if isinstance(value, (bool, int, float)):
        return value
    text = json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else _NONE if value is None else str(value)
    if isinstance(value, Secret):
        return text
    return _withheld(text, path, salt) if path[:2] == _ENVIRONMENT or mask_tokens(text) != text else text


def _are_settings(path: tuple[str, ...]) -> bool:
    """Tell whether a value is the settings of an extension: any JSON, which is stored as text."""
    return path[:1] == ("extensions",) and path[2:] == ("settings",)


def _given(model: BaseModel) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a model that have another value than their default."""
    for name, value in model:
        field = type(model).model_fields[name]
        if field.is_required() or value != field.get_default(call_default_factory=True):
            yield name, value


def _withheld(text: str, path: tuple[str, ...], salt: str) -> str:
    """Return the mark of a value that is not stored. The hash is slow, since such a value may be short."""
    salted = "\0".join([salt, *path]).encode()
    return f"withheld: {hashlib.scrypt(text.encode(), salt=salted, n=2**14, r=8, p=1, dklen=16).hex()}"


def read_spec(name: str, stored: Mapping[str, Any], salt: str, given: Mapping[str, Any]) -> PoolSpec:
    """Return the spec of stored values, with the values that are not stored from where they came.

    Parameters
    ----------
    name, stored, salt
        The name of the pool, the stored values, and the salt that they were stored with.
    given
        Fields of the spec as a user gives them, which replace the stored ones.

    Raises
    ------
    SpecError
        A value is missing that is not stored, or the values are not those of a spec.
    """
    missing: list[str] = []
    values = {**stored, **{key: value for key, value in given.items() if value is not None}}
    filled = _filled(values, (), partial(_from_environment, salt=salt), missing)
    if missing:
        names = [one.removeprefix(".".join(_ENVIRONMENT) + ".") for one in missing]
        raise SpecError(
            f"values that may be secret are not stored: {', '.join(missing)}",
            hint=f"set the environment variables {', '.join(names)} to them"
            if all(one.startswith(".".join(_ENVIRONMENT)) for one in missing)
            else "give the same options or the same --spec again",
        )
    return PoolSpec.build(name, filled)


def _from_environment(mark: str, path: tuple[str, ...], salt: str) -> str | None:
    """Return the value of a start task's variable from the variable of this process with the same name."""
    value = os.environ.get(path[-1]) if path[:2] == _ENVIRONMENT else None
    return value if value is not None and _withheld(value, path, salt) == mark else None


def _filled(
    value: Any,  # noqa: ANN401 - any value of a document
    path: tuple[str, ...],
    find: Callable[[str, tuple[str, ...]], str | None],
    missing: list[str],
) -> Any:  # noqa: ANN401 - as above
    """Return a value with what is not stored; note what is not found. Settings of extensions are JSON."""
    if isinstance(value, Mapping):
        return {name: _filled(one, (*path, str(name)), find, missing) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(one, (*path, str(place)), find, missing) for place, one in enumerate(value)]
    if isinstance(value, str) and _WITHHELD.fullmatch(value):
        found = find(value, path)
        if found is None:
            missing.append(".".join(path))
        return found
    if _are_settings(path) and isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise SpecError(f"{'.'.join(path)} is not JSON", hint="check that it is the right file") from None
    return None if value == _NONE else value


def differing_fields(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields in which two stored specs differ."""
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]
