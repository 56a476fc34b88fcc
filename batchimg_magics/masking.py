"""What is never printed: secrets in URLs, headers and connection strings, and characters that control a terminal."""

from __future__ import annotations

import re

__all__ = ["make_visible", "mask_tokens"]

#: The query of a URL with a signature, and a signature outside a URL.
#: Source: Azure Storage, a shared access signature is the query parameter ``sig``.
_QUERY = re.compile(r"\?[^\s'\"<>]*\bsig=[^\s'\"<>]*", re.IGNORECASE)
_SIGNATURE = re.compile(r"\bsig=[^\s&'\"<>]+", re.IGNORECASE)
#: Other credentials: in an HTTP header, in a connection string, and in a URL before its host.
_HEADER = re.compile(r"\b(Bearer|Basic) [\w.~+/=-]{16,}", re.IGNORECASE)
_KEY = re.compile(r"\b(AccountKey|SharedAccessKey|SharedAccessSignature)=[^\s;'\"]+", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^\s/@'\"]*:[^\s/@'\"]+(?=@)")
#: Control characters but tab and newline, and characters that are invisible or change the direction of text.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def mask_tokens(text: str) -> str:
    """Return a text without the shared access signatures, keys and passwords of URLs in it.

    Parameters
    ----------
    text
        Any text that is displayed, stored or sent.
    """
    text = _SIGNATURE.sub("sig=***", _QUERY.sub("", text))
    return _USER.sub("***", _KEY.sub(r"\1=***", _HEADER.sub(r"\1 ***", text)))


def make_visible(text: str) -> str:
    r"""Return a text whose control characters are written as escapes: ``\x1b``, ``\u202e``."""
    return _INVISIBLE.sub(_escaped, text) if not text.isprintable() else text


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
