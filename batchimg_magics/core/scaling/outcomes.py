"""What kind of outcome a resize's errors make, and the cause in plain words.

The classes are those of the resize table. Codes decide where there are codes; what Compute said inside of an
``AllocationFailed`` is told by its own code, and by its words only where that code says nothing (``BadRequest``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: (code, message, values as "name: value") of a resize error, as `pools.State` has it.
ResizeProblem = tuple[str, str, str]

#: From the gravest on: where there are several errors, the gravest decides.
_SEVERITY_ORDER = ("fatal", "quota", "foreign", "stopped", "passing", "short", "done")


@dataclass(frozen=True, slots=True)
class FatalCause:
    """A cause after which the same request can only fail again.

    Parameters
    ----------
    name
        What is wrong, in words.
    mend
        What to do about it.
    codes
        The provider's codes for it, in lower case.
    words
        What its message says where the code says nothing, in lower case.
    """

    name: str
    fix: str
    codes: frozenset[str] = frozenset()
    phrases: tuple[str, ...] = ()


#: Source: Batch service, pool resize errors; Compute's common deployment errors; FACTS 5 and 7.
FATAL_CAUSES = (
    FatalCause(
        "the image is gone",
        "make the pool anew from an image that is there",
        frozenset({"notfound", "resourcenotfound", "imagenotfound", "galleryimagenotfound", "parentresourcenotfound"}),
        ("the image", "was not found"),
    ),
    FatalCause(
        "the image's Hyper-V generation does not fit the VM size",
        "choose a VM size of the image's generation",
        phrases=("hypervisor generation",),
    ),
    FatalCause(
        "the image's architecture does not fit the VM size",
        "choose a VM size of the image's architecture",
        phrases=("cpu architecture",),
    ),
    FatalCause(
        "the image does not boot from the VM size's disk controller",
        "choose a VM size that has SCSI, or prepare a VM that boots from NVMe",
        phrases=("disk controller",),
    ),
    FatalCause(
        "the image has a purchase plan that its gallery definition does not carry",
        "make the image anew: `%batchimg create` gives the definition the plan",
        frozenset({"vmmarketplaceinvalidinput"}),
    ),
    FatalCause(
        "the security type of the pool does not fit its image or size",
        "make the pool anew with the security type of the VM that the image was made from",
        phrases=("security", "support"),
    ),
    FatalCause(
        "the VM size is not offered here",
        "choose another VM size",
        frozenset({"skunotavailable", "unsupportedvmsize", "notavailableforsubscription", "invalidvmsize"}),
    ),
    FatalCause(
        "Batch has no permission for what the pool is made from",
        "give the Batch account Reader and disks/beginGetAccess on the image",
        frozenset({"authorizationfailed", "linkedauthorizationfailed", "linkedinvalidpropertyid", "accessdenied"}),
        ("does not have", "permission"),
    ),
    FatalCause(
        "a policy of the subscription forbids it",
        "ask whoever sets the policies of the subscription",
        frozenset({"requestdisallowedbypolicy"}),
    ),
    FatalCause(
        "the subnet has no more addresses",
        "use a larger subnet, or fewer nodes",
        frozenset({"subnetisfull"}),
        ("subnet", "address"),
    ),
    FatalCause(
        "Azure does not take the pool's settings", "mend what the message names", frozenset({"invalidparameter"})
    ),
)


@dataclass(frozen=True, slots=True)
class ResizeOutcome:
    """What a resize came to.

    Parameters
    ----------
    kind
        One of `schemas.OUTCOMES`.
    code
        Azure's code; None where there was no error.
    message
        What happened, in one plain sentence; None likewise.
    mend
        What to do about it; may be empty.
    """

    kind: str = "done"
    code: str | None = None
    message: str | None = None
    fix: str = ""


def classify(errors: Iterable[ResizeProblem]) -> ResizeOutcome:
    """Return what a resize's errors come to; a code that is not known counts as ``short``."""
    return min(map(_classify_error, errors), key=lambda one: _SEVERITY_ORDER.index(one.kind), default=ResizeOutcome())


def _classify_error(error: ResizeProblem) -> ResizeOutcome:
    code, message, values = error
    word = code.lower()
    if word == "resizestopped":
        return ResizeOutcome("stopped", code, _sentence(message))
    if "quota" in word or word == "communicationenabledpoolreachedmaxvmcount":
        return ResizeOutcome("quota", code, _sentence(message))
    cause = innermost_error(values) if values else None
    if (fatal := _fatal_cause(word, cause)) is not None:
        return ResizeOutcome("fatal", code, _sentence(f"{fatal.name} ({cause})" if cause else fatal.name), fatal.fix)
    if cause is not None and _is_limit(cause):
        return ResizeOutcome("quota", code, _sentence(str(cause)))
    text = f"{message} ({cause})" if cause else message
    return ResizeOutcome("passing" if word == "allocationfailed" else "short", code, _sentence(text))


def _fatal_cause(word: str, cause: ProviderError | None) -> FatalCause | None:
    codes = {word, cause.code.lower()} if cause else {word}
    by_code = next((one for one in FATAL_CAUSES if one.codes & codes), None)
    if by_code is not None or cause is None:
        return by_code
    text = cause.message.lower()
    return next((one for one in FATAL_CAUSES if one.phrases and all(part in text for part in one.phrases)), None)


def _is_limit(cause: ProviderError) -> bool:
    """Tell whether a provider says that a limit of its own is reached."""
    text = f"{cause.code} {cause.message}".lower()
    return "quota" in text or ("limit" in text and ("reached" in text or "exceed" in text))


def _sentence(text: str) -> str:
    return " ".join(text.split()).removeprefix("Reason: ").rstrip(".")


#: How deep it is looked: Azure nests three or four levels.
MAX_DEPTH = 8


#: What wraps an error and says nothing of its own.
_WRAPPERS = frozenset({"", "badrequest", "conflict", "deploymentfailed", "invalidtemplatedeployment", "multipleerrors"})


@dataclass(frozen=True, slots=True)
class ProviderError:
    """An error as its provider gave it.

    Parameters
    ----------
    code
        The provider's code; empty where there is none.
    message
        Its message in one line.
    """

    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code and self.code not in self.message else self.message


def innermost_error(text: str) -> ProviderError:
    """Return the error that a text is about: the deepest one with a code that says something.

    A text without JSON in it is its own message.
    """
    found = list(_errors_in(text, MAX_DEPTH))
    telling = [cause for cause in found if cause.code.lower() not in _WRAPPERS]
    return (telling or found or [ProviderError("", _one_line(text))])[-1]


def _errors_in(found: Any, depth: int) -> Iterator[ProviderError]:  # noqa: ANN401 - JSON
    """Yield the errors in a document or a text, from the outside in."""
    if isinstance(found, str):
        found = _document(found)
    if depth and isinstance(found, list):
        for one in found:
            yield from _errors_in(one, depth - 1)
    if not depth or not isinstance(found, dict):
        return
    code, message = found.get("code"), found.get("message")
    if isinstance(message, dict):  # the data plane's own way: {"lang", "value"}
        message = message.get("value")
    inside = _document(message) if isinstance(message, str) else None
    if (code or message) and inside is None:
        yield ProviderError(str(code or ""), _one_line(str(message or code)))
    for part in ("error", "innererror", "innerError", "details"):
        yield from _errors_in(found.get(part), depth - 1)
    yield from _errors_in(inside, depth - 1)


def _document(text: str) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON object in a text, or None."""
    begin = text.find("{")
    if begin < 0:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(text, begin)
    except ValueError:
        return None
    return found


def _one_line(text: str) -> str:
    """Return a message in one line, without the request id and time that follow it."""
    return " ".join(text.partition("\nRequestId:")[0].split())
