"""The type of an entry in the table of causes, and how an entry is found for an error."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from batchimg_magics.core.base.provider_errors import CutText, ProviderError

if TYPE_CHECKING:
    from batchimg_magics.core.base.outcomes import OutcomeClass

#: Letters of a code that is cut off, from which on it is recognized.
MIN_CUT_CODE = 8


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of the table.

    Parameters
    ----------
    name
        The cause, in plain words.
    kind
        The class of an outcome with this cause: whether it is final, and the next action.
    fix
        What to do about it.
    source
        Where the codes or the words are from.
    codes
        Azure's codes for it in lower case; ``*`` stands for any signs.
    phrases
        Alternatives: what a message contains, all parts of one of them, in lower case. With `codes`, both have to
        match.
    details
        What names the cause more exactly: the resource, the policy, the lock, or the right in the error.
    in_requests
        Whether the fix is for every request, and not only for the nodes of a pool.
    general
        Whether other entries go first, because the codes or phrases are not specific.
    """

    name: str
    kind: OutcomeClass
    fix: str
    source: str
    codes: tuple[str, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()
    details: Literal["", "missing", "policy", "lock", "right", "registration"] = ""
    in_requests: bool = False
    general: bool = False

    def matches(self, error: ProviderError, details: str = "") -> bool:
        """Tell whether an error has this cause; the messages of the errors in it count where a code does."""
        text = f"{error.code} {error.message} {details if self.codes else ''}".lower()
        said = not self.phrases or any(all(part in text for part in parts) for parts in self.phrases)
        return said and (not self.codes or any(_is_code(error.code, one) for one in self.codes))


def _is_code(code: str, known: str) -> bool:
    low = code.lower()
    if isinstance(code, CutText):  # the JSON ends in the code
        return len(low) >= MIN_CUT_CODE and known.startswith(low)
    return fnmatch.fnmatchcase(low, known) or fnmatch.fnmatchcase(low.removesuffix("error"), known)
