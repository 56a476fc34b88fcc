"""Decoding of the bodies of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from batchimg_magics.emulator.http import planes
from batchimg_magics.emulator.http.loose_json import strict_json
from batchimg_magics.emulator.http.messages import Refusal

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Plane

#: Larger bodies are refused, as by ARM; so are bodies that are nested more deeply, as by .NET's JSON readers.
BODY_LIMIT_BYTES = 4 * 1024 * 1024
MAX_JSON_DEPTH = 64
#: Deployments are read as templates are written.
_DEPLOYMENT = "/providers/microsoft.resources/deployments/"
#: The levels around a resource in the document of a state.
_STATE_DEPTH = 8


def decode_body(plane: Plane, body: bytes, path: str = "") -> Any:  # noqa: ANN401 - any JSON
    """Return the JSON or the form in the body of a request, None without a body; refuse one that is not valid."""
    if not body.strip():
        return None
    if plane == "login":  # the only plane that takes forms
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if len(body) > BODY_LIMIT_BYTES and plane != "sim":  # a whole state may be larger
        raise Refusal(413, "RequestContentTooLarge", f"The request content is above {BODY_LIMIT_BYTES} bytes.")
    try:
        decoded = _loosely(body) if plane == "arm" and _DEPLOYMENT in path.lower() else msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise planes.bad_json(plane, str(error)) from error
    depth = MAX_JSON_DEPTH + (_STATE_DEPTH if plane == "sim" else 0)
    if body.count(b"{") + body.count(b"[") > depth and is_deep(decoded, depth):
        raise planes.bad_json(plane, f"The reader's MaxDepth of {MAX_JSON_DEPTH} has been exceeded.")
    return decoded


def _loosely(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Decode the body of a deployment, which may contain a template as people write it."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return msgspec.json.decode(strict_json(body.decode()))


def is_deep(document: Any, depth: int) -> bool:  # noqa: ANN401 - any JSON
    """Tell whether a document is nested more deeply than the handlers support."""
    level = [document] if isinstance(document, dict | list) else []
    for _ in range(depth):
        parts = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
        level = [part for part in parts if isinstance(part, dict | list)]
        if not level:
            return False
    return True
