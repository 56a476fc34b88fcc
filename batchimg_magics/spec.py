"""What the researcher asks for: `PoolSpec`, validated with pydantic, from options or from YAML."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["PoolSpec", "closest", "node_count", "parse_duration", "pool_name", "resize_timeout"]

#: Azure refuses a shorter resize timeout.
#: Source: Batch service, resizeTimeout: "The minimum value is 5 minutes".
MIN_RESIZE_TIMEOUT_S = 300.0
#: More nodes than any account's quota has ever allowed in one pool; beyond it a count is a slip of the hand.
MAX_NODES = 100_000
#: Source: Azure Compute Gallery limits, replicas a version.
MAX_REPLICAS = 100
#: Source: Batch service, taskSlotsPerNode.
MAX_TASK_SLOTS = 256
_POOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def parse_duration(text: str | float) -> float:
    """Return the seconds in a duration such as ``90s``, ``30m``, ``1h30m`` or ``900``.

    Raises
    ------
    SpecError
        It is none.
    """
    if isinstance(text, (int, float)):
        return float(text)
    match = _DURATION.fullmatch(text.strip().lower())
    if not match or not any(match.groups()):
        raise SpecError(f"{text!r} is not a duration", hint="write it as 90s, 30m or 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def closest(word: str, known: Iterable[str]) -> str:
    """Return a hint that names what was probably meant, or what there is; empty when there is nothing.

    Parameters
    ----------
    word
        What was asked for.
    known
        What there is.
    """
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    if near:
        return f"did you mean {by_lower[near[0]]}?"
    names = sorted(by_lower.values())
    return f"there is: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}" if names else ""


def resize_timeout(text: str | float) -> float:
    """Return the seconds in a resize timeout, which Azure wants to be five minutes at least.

    Raises
    ------
    SpecError
        It is shorter, or no duration.
    """
    seconds = parse_duration(text)
    if seconds < MIN_RESIZE_TIMEOUT_S:
        raise SpecError(f"a resize timeout of {text}", hint="Azure's rule: a resize timeout is at least 5 minutes")
    return seconds


def node_count(value: int | None, option: str) -> int | None:
    """Return a number of nodes when it makes sense; None stays None.

    Raises
    ------
    SpecError
        It is negative, or more than any pool ever had.
    """
    if value is not None and not 0 <= value <= MAX_NODES:
        raise SpecError(f"{option} is {value}", hint=f"a pool has 0 to {MAX_NODES:,} nodes of a kind")
    return value


def pool_name(name: str) -> str:
    """Return the name when Azure takes it for a pool.

    Raises
    ------
    SpecError
        Azure would refuse it.
    """
    if not _POOL_NAME.fullmatch(name):
        raise SpecError(
            f"{name!r} is no name for a pool",
            hint="Azure's rule: 1 to 64 letters, digits, hyphens and underscores; case is kept but not told apart",
        )
    return name


def _known_region(name: str) -> str:
    return name.replace(" ", "").lower()


def _start_task(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


Count = Annotated[int, Field(ge=0, le=MAX_NODES, strict=True)]


class PoolSpec(BaseModel):
    """A pool, and the image that its nodes are made from.

    Parameters
    ----------
    name
        The pool's id: 1 to 64 letters, digits, hyphens, underscores.
    from_vm
        The prepared VM: its name in the connection's resource group, or its resource id.
    vm_size
        The nodes' VM size, e.g. ``Standard_D4s_v5``.
    nodes, spot
        How many dedicated and spot nodes.
    generalized
        The researcher's word that the VM's system was deprovisioned, for a VM that Azure does not mark generalized.
    node_agent_sku
        The Batch node agent that fits the system; needed only when the VM's Marketplace image is not known.
    replicas
        Region to number of replicas of the image version, beside what the pool's own region needs.
    start_task
        A command line that each node runs before it takes tasks.
    task_slots
        Tasks that run on a node at once, 1 to 256.
    subnet
        Resource id of the subnet that the nodes join.
    timeout
        Resize timeout of Azure's in seconds, at least 300; None: as the size needs.
    until
        ``ready``: wait until the nodes are idle or running. ``steady``: only until the pool is allocated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    name: Annotated[str, AfterValidator(pool_name)]
    from_vm: Annotated[str, Field(min_length=1)]
    vm_size: Annotated[str, Field(min_length=1)]
    nodes: Count = 0
    spot: Count = 0
    generalized: bool = False
    node_agent_sku: str | None = None
    replicas: dict[
        Annotated[str, AfterValidator(_known_region)], Annotated[int, Field(ge=1, le=MAX_REPLICAS, strict=True)]
    ] = {}
    start_task: Annotated[str, BeforeValidator(_start_task), Field(min_length=1)] | None = None
    task_slots: Annotated[int, Field(ge=1, le=MAX_TASK_SLOTS, strict=True)] = 1
    subnet: str | None = None
    timeout: Annotated[float, BeforeValidator(resize_timeout)] | None = None
    until: Literal["ready", "steady"] = "ready"

    @classmethod
    def build(cls, name: str, body: Mapping[str, Any] | str | None = None, **options: object) -> PoolSpec:
        """Make a spec of a body and of options, which win over it.

        Parameters
        ----------
        name
            The pool's name.
        body
            A mapping, or YAML text of one.
        **options
            The spec's own fields; None: not given.

        Raises
        ------
        SpecError
            YAML that is none (the line is named), a key that is not known, a value that is not allowed.
        """
        text = body if isinstance(body, str) else ""
        asked = dict(_load(text) if isinstance(body, str) else body or {})
        if (said := asked.setdefault("name", name)) != name:
            raise SpecError(f"the line names the pool {name!r} and the body {said!r}", hint="name it once")
        asked.update({key: value for key, value in options.items() if value is not None})
        try:
            return cls.model_validate(asked)
        except ValidationError as error:
            raise _first(error, text) from error


def _load(text: str) -> dict[str, Any]:
    """Read YAML text as a mapping."""
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise SpecError(
            f"the body is not YAML: {where}{getattr(error, 'problem', None) or error}",
            hint="write one `key: value` a line, e.g. `vm_size: Standard_D4s_v5`",
        ) from error
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise SpecError("the body is not a mapping", hint="write one `key: value` a line, e.g. `nodes: 20`")
    return {str(key).replace("-", "_"): value for key, value in body.items()}


def _first(error: ValidationError, text: str) -> SpecError:
    """Turn pydantic's first complaint into one line that names the key, its line in the body, and the rule."""
    # An unknown key is most often the known one that is "missing", misspelt: it is named first.
    complaint = min(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
    if isinstance(cause := complaint.get("ctx", {}).get("error"), SpecError):
        return cause
    path = [str(part) for part in complaint["loc"]]
    key = path[0] if path else ""
    where = _line_of(text, key)
    if complaint["type"] == "extra_forbidden":
        hint = closest(key, PoolSpec.model_fields)
        return SpecError(f"{where}{key!r} is not known", hint=hint)
    option = "--" + key.replace("_", "-")
    if complaint["type"] == "missing":
        return SpecError(f"{key} is missing", hint=f"give {option}, or `{key}:` in the body")
    said = complaint["msg"][0].lower() + complaint["msg"][1:]
    return SpecError(f"{where}{'.'.join(path)} is {complaint['input']!r}: {said}", hint=f"correct {option}")


def _line_of(text: str, key: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*[\"']?{re.escape(key).replace('_', '[_-]')}[\"']?\s*:", line):
            return f"line {number}: "
    return ""
