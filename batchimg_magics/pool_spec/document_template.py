"""Find the pool in a REST document: an answer with a list, an ARM template, or the document itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.document_part import normalize_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["find_pool"]

_POOL_TYPE = "microsoft.batch/batchaccounts/pools"
#: An expression of a template that is only a parameter or a variable.
_NAMED = re.compile(r"\[\s*(parameters|variables)\(\s*'([^']+)'\s*\)\s*\]", re.IGNORECASE)
#: Members of a resource that say where and when it is deployed, not what it is.
_NOT_SETTINGS = frozenset({"name", "id", "dependson", "apiversion", "location", "condition", "scope", "comments"})


def find_pool(body: object, name: str) -> dict[str, Any] | None:
    """Return the document of the only pool in a value, or of the pool of that name; None where there is no pool.

    Raises
    ------
    SpecError
        There are several pools and none of that name, or the pool contains an expression of a template that cannot be
        evaluated.
    """
    found = list(_pools(body))
    if not found:
        return None
    if len(found) > 1:
        named = [one for one in found if _name(one).lower() == name.lower()]
        if name and len(named) != 1:
            names = ", ".join(_name(one) for one in found[:5])
            raise SpecError(
                f"the document contains {len(found)} pools: {names}",
                hint="keep one pool, or use its name in the command",
            )
        found = named or found
    pool = found[0]
    if isinstance(body, dict) and _is_template(body):
        pool = {key: _evaluate(value, body, str(key)) for key, value in pool.items() if not _is_placement(key)}
    return pool


def _name(pool: Mapping[str, Any]) -> str:
    """Return the name of a pool, also of a usual expression: ``[concat(parameters('account'), '/NAME')]``."""
    return str(pool.get("name") or pool.get("id") or "").rpartition("/")[2].partition("'")[0]


def _is_placement(key: object) -> bool:
    return str(key).lower() in _NOT_SETTINGS


def _is_template(body: Mapping[str, Any]) -> bool:
    return "resources" in body and ("$schema" in body or "contentVersion" in body)


def _pools(body: object) -> Iterator[dict[str, Any]]:
    if isinstance(body, list):
        for one in body:
            yield from _pools(one)
    elif isinstance(body, dict):
        if _is_pool(body):
            yield {str(key): value for key, value in body.items()}
            return
        for key in ("value", "resources", "pool"):
            inside = body.get(key)
            if key == "resources" and isinstance(inside, dict):  # the second language version of templates
                inside = list(inside.values())
            yield from _pools(inside)


def _is_pool(body: Mapping[Any, Any]) -> bool:
    """Tell whether an object is a pool: the configuration of its nodes is in it, or in its properties."""
    names = {normalize_key(name) for name in body}
    inner = body.get("properties")
    inside = {normalize_key(name) for name in inner} if isinstance(inner, dict) else set()
    kind = str(body.get("type", "")).lower()
    return kind in ("", "pool", _POOL_TYPE, "pools") and bool((names | inside) & _CONFIGURATIONS)


_CONFIGURATIONS = frozenset({"virtualmachineconfiguration", "cloudserviceconfiguration", "deploymentconfiguration"})


def _evaluate(value: Any, template: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - JSON
    """Return a value with the parameters and variables of a template; other expressions are refused."""
    if isinstance(value, dict):
        return {key: _evaluate(inner, template, f"{path}.{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_evaluate(inner, template, f"{path}.{place}") for place, inner in enumerate(value)]
    if not isinstance(value, str) or not value.startswith("[") or not value.endswith("]"):
        return value
    if value.startswith("[["):
        return value[1:]
    known = _lookup(value, template)
    if known is None:
        raise SpecError(
            f"{path} is an expression of the template: {value[:60]}",
            hint="write its value there, or use the document of the deployed pool: az batch pool show",
        )
    return _evaluate(known, template, path)


def _lookup(text: str, template: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    match = _NAMED.fullmatch(text)
    if match is None:
        return None
    found = (template.get(match[1].lower()) or {}).get(match[2])
    if match[1].lower() == "parameters":
        found = found.get("defaultValue") if isinstance(found, dict) else None
    return None if found == text else found
