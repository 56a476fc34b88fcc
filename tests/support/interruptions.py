"""A transport that does something at one request, such as to kill the process."""

from __future__ import annotations

from typing import Any

from tests.support.crash import CrashTransport, ProcessKilled


class AtRequest(CrashTransport):
    """A transport that does something at the first request with a method and a part of the URL."""

    method, part, do = "", "", staticmethod(lambda: None)
    seen = False

    async def send(self, request: Any, **kwargs: Any) -> Any:
        self.log.append(f"{request.method} {request.url.partition('?')[0]}")
        hit = request.method == self.method and self.part in request.url and not self.seen
        answer = await self.inner.send(request, **kwargs)
        if hit:
            type(self).seen = True
            self.do()
        return answer


def kill() -> None:
    raise ProcessKilled
