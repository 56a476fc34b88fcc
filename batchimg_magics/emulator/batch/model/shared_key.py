"""Requests that are signed with the key of a Batch account: check of the signature.

Source: "Authenticate requests to the Azure Batch service" of the Batch REST reference, and the code of azure-batch.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchimg_magics.emulator.batch.model import accounts

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call

_SIGNED = (
    "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
    "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
)  # fmt: skip


def signature_problem(call: Call, credential: str) -> str | None:
    """Return why the ``account:signature`` of a request is invalid, None if it is valid."""
    account = accounts.need(call)
    if "SharedKey" not in account.doc["properties"].get("allowedAuthenticationModes", ("SharedKey",)):
        return "The specified type of authentication SharedKey is not allowed by the account."
    name, _, signature = credential.partition(":")
    text = signed_text(call, name)
    keys = accounts.account_keys(account)
    expected = (_signature(text, keys[one]) for one in ("primary", "secondary"))
    if name.lower() != account.doc["name"].lower() or not any(_same(signature, one) for one in expected):
        return f"The MAC signature found in the HTTP request '{signature}' is not the same as any computed signature."
    return None


def _same(signature: str, expected: str) -> bool:
    return hmac.compare_digest(signature.encode(), expected.encode())


def signed_text(call: Call, account: str) -> str:
    """Return the text that the signature of a request is made from."""
    found = call.headers if call.method in ("GET", "HEAD") else {"content-length": "0"} | call.headers
    named = sorted(f"{name}:{value}" for name, value in call.headers.items() if name.startswith("ocp-"))
    path = urlsplit(call.base).path + call.path
    asked = [f"{name}:{value}" for name, value in sorted(call.query.items()) if value]
    return "\n".join([call.method, *(found.get(name, "") for name in _SIGNED), *named, f"/{account}{path}", *asked])


def _signature(text: str, key: str) -> str:
    return base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()
