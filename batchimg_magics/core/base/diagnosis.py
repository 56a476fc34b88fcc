"""What an error of Azure means: its cause, in one plain sentence, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchimg_magics.core.base import denials, missing_resources
from batchimg_magics.core.base.causes import CAUSES
from batchimg_magics.core.base.provider_errors import ProviderError, one_line, read_errors, without_json
from batchimg_magics.masking import mask_tokens

if TYPE_CHECKING:
    from batchimg_magics.core.base.cause import Cause

#: Codes that only wrap a more specific error, in lower case.
_WRAPPERS = frozenset(
    {
        "", "allocationfailed", "badrequest", "conflict", "deploymentfailed", "failed", "forbidden",
        "internaloperationerror", "invalidtemplatedeployment", "multipleerrors", "multipleerrorsoccurred",
        "operationfailed", "provisioningfailed", "resourcedeploymentfailure", "resourceoperationfailure",
    }
)  # fmt: skip
#: What Azure adds to messages that helps nobody in a table.
_ADVICE = re.compile(
    r"\s*(?:For more (?:details|information)|Learn more|Please read more|Read more|Submit a request for|Setup Alerts|"
    r"To learn more|See https?://|Please (?:go|see|refer) to|Correlation Id:)(?:(?!\. [A-Z]).)*\.?",
    re.DOTALL | re.IGNORECASE,
)
#: What Batch appends to JSON that it cut off, where the values of an error are one text.
_CUT_OFF = re.compile(r";?\s*Provider Error Json Truncated:\s*\w+", re.IGNORECASE)
_CODE = re.compile(r"(?:^|[;\s])(?:Provider\s*)?(?:Error\s*)?Code:\s*(?P<code>[A-Za-z]\w+)", re.IGNORECASE)
_MESSAGE = re.compile(r"(?:^|[;\s])(?:Provider\s*)?(?:Error\s*)?Message:\s*(?P<message>.*)", re.IGNORECASE | re.DOTALL)
#: The names of values in which Batch tells a cause.
_VALUE_NAME = re.compile(r"^(?:Reason|Provider Error Json)(?::\s*|$)", re.IGNORECASE)
#: The beginning of a resource id; the type and the name after it tell enough.
_ID_HEAD = re.compile(r"/subscriptions/[^/\s']+/resourceGroups/[^/\s']+/providers/(?:[^/\s']+/)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What an error means.

    Parameters
    ----------
    error
        The error that tells the cause: its code, and its message without JSON.
    cause
        The entry of the table; None where no entry matches.
    name
        The cause in plain words; empty where no entry matches.
    fix
        What to do about it; empty likewise.
    """

    error: ProviderError
    cause: Cause | None
    name: str = ""
    fix: str = ""

    @property
    def sentence(self) -> str:
        """The cause with Azure's code and words."""
        said = str(self.error)
        return f"{self.name} ({said})" if self.name and said else self.name or said


def find_cause(error: ProviderError, details: str = "") -> Cause | None:
    """Return the entry for an error; None where no entry matches.

    Parameters
    ----------
    error
        The error.
    details
        The messages of the errors in it; they add words to its code.
    """
    found = (one for one in CAUSES if one.matches(error, details))
    # Of equals the first.
    return min(found, key=lambda one: (one.general, not one.codes and not one.general), default=None)


def diagnose(text: str) -> Diagnosis:
    """Return what an error text means, with JSON in it at any depth, also where it is cut off."""
    text = _CUT_OFF.sub("", text)
    found = list(read_errors(text)) or [_read_pairs(text)]
    said = [" ".join(one.message for one in found[at:]) for at in range(len(found))]
    known = [
        (one, cause) for one, more in zip(found, said, strict=True) if (cause := find_cause(one, more)) is not None
    ]
    if not known:
        return Diagnosis(_words(_deepest(found), found), None)
    error, cause = max(reversed(known), key=lambda pair: _weight(*pair))
    return Diagnosis(_words(error, found), cause, *_explain(cause, error, text))


def _read_pairs(text: str) -> ProviderError:
    """Return an error that is told without JSON: as "Code: X; Message: Y", or in plain words."""
    code = _CODE.search(text)
    message = _MESSAGE.search(text) if code else None
    return ProviderError(code["code"] if code else "", one_line(message["message"] if message else text))


def _weight(error: ProviderError, cause: Cause) -> int:
    """Return how much an error tells about the cause: the deepest of those that tell the most is the cause."""
    if cause.general:
        return 0 if error.code.lower() in _WRAPPERS else 1
    return 2


def _deepest(found: list[ProviderError]) -> ProviderError:
    specific = [one for one in found if one.code.lower() not in _WRAPPERS]
    return (specific or found)[-1]


def _words(error: ProviderError, found: list[ProviderError]) -> ProviderError:
    """Return an error with words for people: without JSON and advice, and those of an inner error where it has none."""
    message = _plain(error.message)
    if not message or message == error.code or "inner error" in message.lower() or "see details" in message.lower():
        inner = [_plain(one.message) for one in found if one is not error and one.message != one.code]
        message = next((one for one in reversed(inner) if one and one != message), message)
    return ProviderError(str(error.code), message or str(error.code))


def _plain(message: str) -> str:
    text = _VALUE_NAME.sub("", " ".join(without_json(message).split()))
    short = _ID_HEAD.sub("", _ADVICE.sub("", text) or text)
    return mask_tokens(short).rstrip(". ")


def _explain(cause: Cause, error: ProviderError, text: str) -> tuple[str, str]:
    """Return a cause in plain words and its fix, with the names that the error has."""
    name, fix = cause.name, cause.fix
    if cause.details == "missing" and (missing := missing_resources.find_missing(error.code, error.message)):
        name, fix = missing.name, missing.fix
    elif cause.details == "policy" and (denied := denials.read_policies(text)):
        name = f"{' and '.join(map(str, denied))} denies it".replace("policy", "the Azure policy", 1)
        fix = denied[0].fix
    elif cause.details == "lock":
        scopes = denials.read_locked_scopes(error.message)
        name = f"a lock on {' and '.join(scopes)} forbids it" if scopes else name
        fix = denials.lock_fix(scopes)
    elif cause.details == "registration":
        fix = denials.registration_fix(error.message)
    elif cause.details == "right" and (right := denials.right_fix(error.message)):
        fix = right if cause.general else f"{cause.fix}: {right}"
    return name, fix
