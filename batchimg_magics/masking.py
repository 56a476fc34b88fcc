"""Mask shared access signatures (SAS) in URLs: whoever has such a signature can access the blob."""

from __future__ import annotations

import re

__all__ = ["mask_tokens"]

#: The query of a URL with a signature, and a signature outside a URL.
#: Source: Azure Storage, a shared access signature is the query parameter ``sig``.
_QUERY = re.compile(r"\?[^\s'\"<>]*\bsig=[^\s'\"<>]*", re.IGNORECASE)
_SIGNATURE = re.compile(r"\bsig=[^\s&'\"<>]+", re.IGNORECASE)


def mask_tokens(text: str) -> str:
    """Return a text without the shared access signatures in it.

    Parameters
    ----------
    text
        Any text that is displayed, stored or sent.
    """
    return _SIGNATURE.sub("sig=***", _QUERY.sub("", text))
