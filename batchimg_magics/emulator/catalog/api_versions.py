"""The api-versions of resource types in Azure Resource Manager.

Source: the types of Bicep (Azure/bicep-types-az, August 2026), which are generated from Microsoft's OpenAPI documents,
and the newer versions that the clients of autumn 2026 send; for the types of Resource Manager itself and those without
an OpenAPI document, refusals of Azure that issue threads quote.
"""

from __future__ import annotations

import functools
from importlib import resources

import msgspec

#: The namespace of the types of Resource Manager itself.
OWN_NAMESPACE = "Microsoft.Resources"


@functools.cache
def _tables() -> dict[str, tuple[str, dict[str, tuple[str, tuple[str, ...]]]]]:
    """Return the spelling of each namespace, and its types with their spelling and versions, by lower case."""
    raw = resources.files("batchimg_magics.emulator.catalog").joinpath("data/api_versions.json").read_bytes()
    groups: dict[str, list[dict[str, list[str]]]] = msgspec.json.decode(raw)
    return {
        namespace.lower(): (
            namespace,
            {one.lower(): (one, tuple(group["versions"])) for group in listed for one in group["types"]},
        )
        for namespace, listed in groups.items()
    }


@functools.cache
def all_namespaces() -> dict[str, str]:
    """Return the namespaces of Azure's resource providers in Azure's spelling, by lower case."""
    raw = resources.files("batchimg_magics.emulator.catalog").joinpath("data/namespaces.json").read_bytes()
    names: list[str] = msgspec.json.decode(raw)
    return {name.lower(): name for name in names} | {key: name for key, (name, _) in _tables().items()}


def has_types(namespace: str) -> bool:
    """Tell whether the types of a namespace are known here."""
    return namespace.lower() in _tables()


def types_of(namespace: str) -> dict[str, tuple[str, ...]]:
    """Return the types of a namespace in Azure's spelling, with their api-versions, the latest first."""
    _, types = _tables().get(namespace.lower(), ("", {}))
    return dict(sorted(types.values()))


@functools.lru_cache(maxsize=4096)
def find_type(namespace: str, words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the known type that a path names, and its api-versions, the latest first; both empty if there is none.

    Parameters
    ----------
    namespace
        The namespace of the resource provider.
    words
        The type segments of the path, from the outermost on; the innermost may be an action or a view of a resource.
    """
    _, types = _tables().get(namespace.lower(), ("", {}))
    for length in range(len(words), 0, -1):
        found = types.get("/".join(words[:length]).lower())
        if found is not None:
            return found
    return "", ()
