"""A part of a REST document whose values are taken one by one, so that what was not taken can be named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.secrets import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["NOT_SHOWN", "DocumentPart", "integer", "normalize_key", "without_empty"]

#: Why a secret cannot be kept.
NOT_SHOWN = "Azure does not return it"


def normalize_key(key: object) -> str:
    """Return a name as all spellings have it: those of both planes, of the SDKs and of the Azure CLI."""
    return re.sub(r"[_\-\s]", "", str(key)).lower()


def without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are set."""
    return {name: value for name, value in values.items() if value not in (None, "", (), [], {})}


def integer(value: object) -> object:
    """Return a number that some clients write as text; any other value unchanged."""
    return int(value) if isinstance(value, str) and value.isdigit() else value


class DocumentPart:
    """An object of a REST document.

    Parameters
    ----------
    value
        The object; anything else counts as empty.
    path
        Where it is in the document, for messages.
    omitted
        Collects what cannot be kept.
    """

    def __init__(self, value: object, path: str, omitted: list[str]) -> None:
        self.path = path
        self.omitted = omitted
        self._values: dict[str, tuple[str, Any]] = {}
        self._children: list[DocumentPart] = []
        if isinstance(value, dict):
            self._values = {
                normalize_key(name): (str(name), inner)
                for name, inner in value.items()
                if inner not in (None, "", [], {})
            }

    def __bool__(self) -> bool:
        return bool(self._values)

    def has(self, *names: str) -> bool:
        """Tell whether one of the names is set."""
        return any(normalize_key(name) in self._values for name in names)

    def names(self) -> list[str]:
        """Return the names that are left, as the document spells them."""
        return [name for name, _ in self._values.values()]

    def take(self, *names: str) -> Any:  # noqa: ANN401 - JSON
        """Return the value of the first name that is set, and mark all of them as taken; None for none."""
        found = [self._values.pop(key, None) for key in map(normalize_key, names)]
        return next((one[1] for one in found if one is not None), None)

    def take_word(self, words: Iterable[str], *names: str) -> str | None:
        """Return one of the words, whose case may differ in the document; other words are named."""
        value = self.take(*names)
        known = {word.lower(): word for word in words}
        if value is None or str(value).lower() in known:
            return None if value is None else known[str(value).lower()]
        self.omit(f"{names[0]} {value}")
        return None

    def take_secret(self, name: str) -> str | None:
        """Return a reference to a secret; None if the document has none, as the service never shows secrets.

        Raises
        ------
        SpecError
            The secret is in clear text.
        """
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, str) or not REFERENCE.fullmatch(value.strip()):
            raise SpecError(
                f"{self.path}{name} is a secret in clear text",
                hint="store it in an environment variable and write env:NAME in the document",
            )
        return value.strip()

    def part(self, *names: str) -> DocumentPart:
        """Return an object inside; empty if it is not set."""
        child = DocumentPart(self.take(*names), f"{self.path}{names[0]}.", self.omitted)
        self._children.append(child)
        return child

    def rows(self, *names: str) -> list[DocumentPart]:
        """Return the objects of a list inside."""
        value = self.take(*names)
        listed = value if isinstance(value, (list, tuple)) else []
        rows = [DocumentPart(one, f"{self.path}{names[0]}.{place}.", self.omitted) for place, one in enumerate(listed)]
        self._children += rows
        return rows

    def omit(self, what: str) -> None:
        """Name something that cannot be kept."""
        self.omitted.append(f"{self.path}{what}")

    def discard(self) -> None:
        """Forget everything inside: the part as a whole was named, or is no setting."""
        self._values.clear()
        for child in self._children:
            child.discard()

    def close(self) -> None:
        """Name everything that was not taken, here and in the parts inside."""
        for name, _ in self._values.values():
            self.omit(name)
        self._values.clear()
        for child in self._children:
            child.close()
