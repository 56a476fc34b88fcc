"""Compare the body of a change with what a resource is."""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.http.messages import Refusal


def first_difference(asked: object, before: object) -> str | None:
    """Return the path of the first member of a body that differs from a document; None if all are the same.

    Members that the body does not have, or that are null or empty, are the same. Case does not count.
    """
    if asked in (None, {}, []):
        return None
    if isinstance(asked, dict) and isinstance(before, dict | None):
        for name, value in asked.items():
            if (found := first_difference(value, (before or {}).get(name))) is not None:
                return f"{name}.{found}".rstrip(".")
        return None
    if isinstance(asked, list) and isinstance(before, list | None):
        if len(asked) != len(before or []):
            return ""
        paths = (first_difference(one, other) for one, other in zip(asked, before or [], strict=True))
        return next((path for path in paths if path is not None), None)
    same = asked == before or (isinstance(asked, str) and isinstance(before, str) and asked.lower() == before.lower())
    return None if same else ""


def refuse_changes(asked: dict[str, Any], before: dict[str, Any], names: tuple[str, ...], root: str = "") -> None:
    """Refuse to change some properties. Source: Azure's own text, in many issue threads.

    Parameters
    ----------
    asked, before
        The properties in the body, and those of the resource.
    names
        Of the properties that cannot change.
    root
        What is before their names in the refusal.
    """
    for name in names:
        if name in asked and (path := first_difference(asked[name], before.get(name))) is not None:
            raise not_allowed(f"{root}{name}.{path}".rstrip("."))


def not_allowed(name: str) -> Refusal:
    """Return the refusal to change a property."""
    message = f"Changing property '{name}' is not allowed."
    return Refusal(409, "PropertyChangeNotAllowed", message, target=name)
