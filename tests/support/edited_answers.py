"""A transport that edits Azure's answers: what only Azure decides, such as offers, prices and dates of retirement."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchimg_magics.emulator.app import HttpResponse
from tests.support.forwarding_transport import ForwardingTransport

if TYPE_CHECKING:
    from collections.abc import Callable

#: Part of a URL to the function that edits the JSON of its answers, or to the answer (status, body) in its place.
Edits = dict[str, "Callable[[Any], object] | tuple[int, Any]"]


@dataclass
class EditingTransport(ForwardingTransport):
    """Forwards requests, and edits the answers to some of them."""

    edits: Edits = field(default_factory=dict)

    async def send(self, request: Any, **kwargs: Any) -> Any:
        response = await self.inner.send(request, **kwargs)
        edit = next((one for part, one in self.edits.items() if part.lower() in request.url.lower()), None)
        if edit is None or request.method != "GET":
            return response
        if isinstance(edit, tuple):
            status, document = edit
        else:
            status, document = 200, json.loads(response.answer.body)
            edit(document)
        return type(response)(request, HttpResponse(status, dict(response.headers), json.dumps(document).encode()))
