"""Azure resource tags that users give: checked before any request.

Source: "Use tags to organize your Azure resources" in the documents of Azure Resource Manager.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["EXPIRES_TAG", "MAX_VALUE_LENGTH", "POOL_TAG", "RESERVED_PREFIX", "check_resource_tags"]

#: Prefix of this tool's ownership tags.
RESERVED_PREFIX = "batchimg-"
#: When a pool expires, in UTC: a pool with it has a formula that only ends it then.
EXPIRES_TAG = f"{RESERVED_PREFIX}expires"
#: The metadata with the name of the pool, which marks what this tool created for it.
POOL_TAG = f"{RESERVED_PREFIX}pool"
_AZURE_PREFIXES = ("microsoft", "azure", "windows")
_FORBIDDEN = re.compile(r"[<>%&\\?/\x00-\x1f\x7f]")
MAX_NAME_LENGTH, MAX_VALUE_LENGTH, MAX_TAGS = 512, 256, 50
#: The most ownership tags that one resource has: those of a temporary VM.
OWN_TAGS = 9
_HINT = (
    f"a resource has at most {MAX_TAGS} tags, {OWN_TAGS} of them of this tool; names have at most {MAX_NAME_LENGTH} "
    rf"characters without < > % & \ ? /, values at most {MAX_VALUE_LENGTH}"
)


def _problems(tags: Mapping[str, str]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name, value in tags.items():
        low, shown = name.lower(), repr(name if len(name) <= 40 else f"{name[:37]}...")
        if not name.strip():
            yield "a tag has no name"
        if len(name) > MAX_NAME_LENGTH:
            yield f"the tag name {shown} has {count_text(len(name), 'character')}"
        if found := _FORBIDDEN.findall(name):
            yield f"the tag name {shown} contains {' '.join(dict.fromkeys(map(_visible, found)))}"
        if low.startswith(_AZURE_PREFIXES):
            yield f"the tag name {shown} begins with a word that is reserved for Azure ({', '.join(_AZURE_PREFIXES)})"
        if low.startswith(RESERVED_PREFIX):
            yield f"the tag name {shown} is reserved: {RESERVED_PREFIX} begins the ownership tags of this tool"
        if len(value) > MAX_VALUE_LENGTH:
            yield f"the value of tag {shown} has {count_text(len(value), 'character')}"
        if low in seen:
            yield f"the tags {seen[low]!r} and {shown} differ only in case, and Azure does not distinguish them"
        seen[low] = name
    if len(tags) > MAX_TAGS - OWN_TAGS:
        yield f"{len(tags)} tags are too many: {MAX_TAGS - OWN_TAGS} are possible beside those of this tool"


def _visible(sign: str) -> str:
    return sign if sign.isprintable() else "a control character"


def check_resource_tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    """Return tags that Azure takes on every resource.

    Raises
    ------
    SpecError
        Azure would refuse them; all problems are named.
    """
    if problems := list(_problems(tags)):
        raise SpecError("; ".join(problems), hint=_HINT)
    return tags
