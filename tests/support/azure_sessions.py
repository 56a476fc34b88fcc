"""Sessions that connect to Azure, whose requests an emulator in this process answers."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from batchimg_magics import Session
from batchimg_magics.emulator.emulator import open_emulator
from batchimg_magics.emulator.furnish import ACCOUNT, GROUP, SUBSCRIPTION
from tests.support.forwarding_transport import ForwardingTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchimg_magics.emulator.emulator import Emulator

TARGET: dict[str, str] = {"subscription": SUBSCRIPTION, "resource_group": GROUP, "account": ACCOUNT}


@dataclass
class AzureSession:
    """A session, the emulator that answers it, and the requests so far, each with its form."""

    session: Session
    local: Emulator
    requests: list[tuple[str, str]] = field(default_factory=list)

    def forms(self, host: str) -> list[tuple[str, str]]:
        """Return URL and body of the requests to a host."""
        return [(url, body) for url, body in self.requests if url.startswith(f"https://{host}/")]


@contextlib.contextmanager
def azure_session(*, answer: Callable[[Any], Any] | None = None, **options: Any) -> Iterator[AzureSession]:
    """Open a session whose connections to Azure are answered by an emulator.

    Parameters
    ----------
    answer
        Called with each request: may change it, or raise.
    **options
        Of the session.
    """
    local = open_emulator(speed=1.0)
    seen: list[tuple[str, str]] = []

    class Noting(ForwardingTransport):
        async def send(self, request: Any, **kwargs: Any) -> Any:
            body = getattr(request, "content", None) or getattr(request, "body", None) or ""
            text = urlencode(body) if isinstance(body, dict) else body.decode() if isinstance(body, bytes) else body
            seen.append((request.url, text))
            if answer is not None:
                answer(request)
            return await self.inner.send(request, **kwargs)

    with Session(wrap_transport=lambda _: Noting(local.transport), **options) as session:
        yield AzureSession(session, local, seen)
    local.close()
