"""Tokens are sent to the hosts of the service only, whatever its responses refer to."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from batchimg_magics.errors import BatchImgError
from tests.support.connections import wrapped_session
from tests.support.forwarding_transport import ForwardingTransport

if TYPE_CHECKING:
    from collections.abc import Callable

ELSEWHERE = "https://evil.example.com/subscriptions/x"


def _unchanged(_: Any, answer: Any) -> Any:
    return answer


@dataclass
class Misleading(ForwardingTransport):
    """A service whose responses refer to another host."""

    change: Callable[[Any, Any], Any] = _unchanged
    hosts: set[str] = field(default_factory=set)

    async def send(self, request: Any, **kwargs: Any) -> Any:
        self.hosts.add(request.url.split("/")[2])
        return self.change(request, await self.inner.send(request, **kwargs))


def _changed(answer: Any, **parts: Any) -> Any:
    return type(answer)(answer.request, msgspec.structs.replace(answer.answer, **parts))


def next_link(_: Any, answer: Any) -> Any:
    if b'"value":[' not in (body := answer.answer.body):
        return answer
    return _changed(answer, body=msgspec.json.encode(json.loads(body) | {"nextLink": ELSEWHERE}))


def operation(request: Any, answer: Any) -> Any:
    if request.method not in ("PUT", "POST", "PATCH", "DELETE"):
        return answer
    headers = {**answer.answer.headers, "Azure-AsyncOperation": ELSEWHERE, "Location": ELSEWHERE}
    return _changed(answer, headers=headers)


def redirect(request: Any, answer: Any) -> Any:
    if "virtualMachines" not in request.url:
        return answer
    return _changed(answer, status=307, headers={**answer.answer.headers, "Location": ELSEWHERE})


@pytest.mark.parametrize(
    ("change", "verb"),
    [(next_link, "images"), (next_link, "pools"), (next_link, "vms"), (operation, "create"), (redirect, "vms")],
)
def test_no_token_is_sent_to_another_host(change: Callable[[Any, Any], Any], verb: str) -> None:
    options = {"name": "genomics", "from_vm": "prep-vm", "vm_size": "Standard_D4s_v5"} if verb == "create" else {}
    with wrapped_session(Misleading, state=":memory:", speed="max") as (session, line):
        line.change = change
        with contextlib.suppress(BatchImgError):  # some links are not needed
            getattr(session, verb)(**options)
        assert line.hosts
        assert not [host for host in line.hosts if "evil" in host]
