"""What must never be seen: the signatures in links to blobs, which open them to whoever reads along."""

from __future__ import annotations

import re

__all__ = ["mask_tokens"]

#: The query of a link that carries a signature, and a signature that stands alone.
#: Source: a shared access signature is the parameter ``sig`` of a query.
_QUERY = re.compile(r"\?[^\s'\"<>]*\bsig=[^\s'\"<>]*", re.IGNORECASE)
_SIGNATURE = re.compile(r"\bsig=[^\s&'\"<>]+", re.IGNORECASE)


def mask_tokens(text: str) -> str:
    """Return a text whose links have no shared access signatures any more.

    Parameters
    ----------
    text
        Anything that may be shown, written down or sent on.
    """
    return _SIGNATURE.sub("sig=***", _QUERY.sub("", text))
