"""What a resize's errors mean: their outcome class, and the cause in one plain sentence.

The classes are in `core.base.outcomes`. Batch's own code decides where it can. In an ``AllocationFailed`` the code
of the resource provider decides, and its message only where that code is a general one (``BadRequest``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.base.outcomes import OutcomeClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: (code, message, values as "name: value") of a resize error, as `pools.PoolState` has it.
ResizeProblem = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class FatalCause:
    """A cause after which the same request can only fail again.

    Parameters
    ----------
    name
        The cause, in plain words.
    fix
        What to do about it.
    codes
        The provider's error codes for it, in lower case.
    phrases
        What its message contains, all of them, where the code is a general one; in lower case.
    """

    name: str
    fix: str
    codes: frozenset[str] = frozenset()
    phrases: tuple[str, ...] = ()


#: Source: Batch service, pool resize errors; Compute's common deployment errors; FACTS 5 and 7.
FATAL_CAUSES = (
    FatalCause(
        "the image does not exist",
        "create the pool again from an existing image",
        frozenset({"notfound", "resourcenotfound", "imagenotfound", "galleryimagenotfound", "parentresourcenotfound"}),
        ("the image", "was not found"),
    ),
    FatalCause(
        "the image's Hyper-V generation is not supported by the VM size",
        "choose a VM size that supports the image's generation",
        phrases=("hypervisor generation",),
    ),
    FatalCause(
        "the image's CPU architecture is not that of the VM size",
        "choose a VM size with the image's CPU architecture",
        phrases=("cpu architecture",),
    ),
    FatalCause(
        "the image cannot boot from the VM size's disk controller type",
        "choose a VM size with SCSI disks, or prepare a VM that boots from NVMe",
        phrases=("disk controller",),
    ),
    FatalCause(
        "the image has a purchase plan, and its image definition has none",
        "create the image again: `%batchimg create` adds the plan to the image definition",
        frozenset({"vmmarketplaceinvalidinput"}),
    ),
    FatalCause(
        "the pool's security type is not supported by its image or VM size",
        "create the pool again with the security type of the VM that the image was made from",
        phrases=("security", "support"),
    ),
    FatalCause(
        "the VM size is not available in this region or subscription",
        "choose another VM size",
        frozenset({"skunotavailable", "unsupportedvmsize", "notavailableforsubscription", "invalidvmsize"}),
    ),
    FatalCause(
        "Batch has no permission for a resource that the pool uses",
        "give the Batch account Reader and disks/beginGetAccess on the image",
        frozenset({"authorizationfailed", "linkedauthorizationfailed", "linkedinvalidpropertyid", "accessdenied"}),
        ("does not have", "permission"),
    ),
    FatalCause(
        "an Azure policy denies it",
        "ask the administrator of the subscription's policies for an exemption",
        frozenset({"requestdisallowedbypolicy"}),
    ),
    FatalCause(
        "the subnet has no free IP addresses",
        "use a larger subnet or fewer nodes",
        frozenset({"subnetisfull"}),
        ("subnet", "address"),
    ),
    FatalCause(
        "Azure rejects a setting of the pool",
        "correct the setting that the message names",
        frozenset({"invalidparameter"}),
    ),
)


@dataclass(frozen=True, slots=True)
class ResizeOutcome:
    """How a resize attempt ended.

    Parameters
    ----------
    kind
        Its class.
    code
        Azure's error code; None where there was no error.
    message
        What happened, in one plain sentence; None likewise.
    fix
        What to do about the cause; may be empty.
    """

    kind: OutcomeClass = OutcomeClass.DONE
    code: str | None = None
    message: str | None = None
    fix: str = ""


def classify(errors: Iterable[ResizeProblem]) -> ResizeOutcome:
    """Return the outcome that a resize's errors describe: of several, the most severe; DONE where there is none."""
    return min(map(_classify_error, errors), key=lambda one: one.kind.severity, default=ResizeOutcome())


def _classify_error(error: ResizeProblem) -> ResizeOutcome:
    code, message, values = error
    kind = OutcomeClass.of_code(code)
    if kind.is_final:
        return ResizeOutcome(kind, code, _sentence(message))
    cause = innermost_error(values) if values else None
    if (fatal := _fatal_cause(code.lower(), cause)) is not None:
        text = f"{fatal.name} ({cause})" if cause else fatal.name
        return ResizeOutcome(OutcomeClass.FATAL, code, _sentence(text), fatal.fix)
    if cause is not None and _is_limit(cause):
        return ResizeOutcome(OutcomeClass.QUOTA, code, _sentence(str(cause)))
    return ResizeOutcome(kind, code, _sentence(f"{message} ({cause})" if cause else message))


def _fatal_cause(code: str, cause: ProviderError | None) -> FatalCause | None:
    codes = {code, cause.code.lower()} if cause else {code}
    by_code = next((one for one in FATAL_CAUSES if one.codes & codes), None)
    if by_code is not None or cause is None:
        return by_code
    text = cause.message.lower()
    return next((one for one in FATAL_CAUSES if one.phrases and all(part in text for part in one.phrases)), None)


def _is_limit(cause: ProviderError) -> bool:
    """Return whether a provider's error is about one of its own limits."""
    text = f"{cause.code} {cause.message}".lower()
    return "quota" in text or ("limit" in text and ("reached" in text or "exceed" in text))


def _sentence(text: str) -> str:
    return " ".join(text.split()).removeprefix("Reason: ").rstrip(".")


#: Levels of nested errors that are read. Azure nests three or four.
MAX_DEPTH = 8


#: General codes that only wrap a more specific error.
_WRAPPERS = frozenset({"", "badrequest", "conflict", "deploymentfailed", "invalidtemplatedeployment", "multipleerrors"})


@dataclass(frozen=True, slots=True)
class ProviderError:
    """An error of a resource provider.

    Parameters
    ----------
    code
        The provider's error code; empty where there is none.
    message
        Its message in one line.
    """

    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code and self.code not in self.message else self.message


def innermost_error(text: str) -> ProviderError:
    """Return the cause of a provider's error text: the deepest nested error with a specific code.

    A text without JSON is itself the message.
    """
    found = list(_errors_in(text, MAX_DEPTH))
    specific = [cause for cause in found if cause.code.lower() not in _WRAPPERS]
    return (specific or found or [ProviderError("", _one_line(text))])[-1]


def _errors_in(found: Any, depth: int) -> Iterator[ProviderError]:  # noqa: ANN401 - JSON
    """Yield the errors in a JSON document or a text, the outermost first."""
    if isinstance(found, str):
        found = _document(found)
    if depth and isinstance(found, list):
        for one in found:
            yield from _errors_in(one, depth - 1)
    if not depth or not isinstance(found, dict):
        return
    code, message = found.get("code"), found.get("message")
    if isinstance(message, dict):  # the form of the data plane: {"lang", "value"}
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
    """Return a message on one line, without the request id and time after it."""
    return " ".join(text.partition("\nRequestId:")[0].split())
