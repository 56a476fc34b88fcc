"""Tokens are sent to the hosts of the service only, whatever its responses refer to."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest

from batchimg_magics.core.azure.pipeline import TokenHosts
from batchimg_magics.errors import BatchImgError, ServiceError
from tests.support.connections import wrapped_session
from tests.support.forwarding_transport import ForwardingTransport

if TYPE_CHECKING:
    from collections.abc import Callable

ELSEWHERE = "https://evil.example.com/subscriptions/x"
OWN = "management.azure.com"
#: Other hosts, and what looks like the service's own.
PLACES = (
    "evil.example.com", "EVIL.example.COM", "evil.example.com.", f"{OWN}.evil.example.com", f"evil{OWN}",
    f"{OWN}.", f"{OWN}:8443", f"{OWN}:99999999", f"{OWN}@evil.example.com", f"{OWN}:443@evil.example.com",
    f"evil.example.com@{OWN}", f"evil.example.com\\@{OWN}", "169.254.169.254", "[::1]",
)  # fmt: skip


def _unchanged(_: Any, answer: Any) -> Any:
    return answer


@dataclass
class Misleading(ForwardingTransport):
    """A service whose responses refer to another host."""

    change: Callable[[Any, Any], Any] = _unchanged
    hosts: set[str] = field(default_factory=set)

    async def send(self, request: Any, **kwargs: Any) -> Any:
        self.hosts.add("/".join(request.url.split("/")[:3]))
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
    [(next_link, "images"), (next_link, "pools"), (operation, "create"), (redirect, "vms"), (redirect, "create")],
)
def test_no_token_is_sent_to_another_host(change: Callable[[Any, Any], Any], verb: str) -> None:
    options = {"name": "genomics", "from_vm": "prep-vm", "vm_size": "Standard_D4s_v5"} if verb == "create" else {}
    with wrapped_session(Misleading, state=":memory:", speed="max") as (session, line):
        line.change = change
        with contextlib.suppress(BatchImgError):  # some links are not needed
            getattr(session, verb)(**options)
        assert line.hosts
        assert not [host for host in line.hosts if "evil" in host]


@pytest.mark.parametrize("origin", [*(f"https://{place}" for place in PLACES), f"http://{OWN}"])
def test_no_link_leads_to_what_looks_like_the_service(origin: str) -> None:
    def link(_: Any, answer: Any) -> Any:
        body = json.loads(answer.answer.body) | {"nextLink": f"{origin}/subscriptions/x"}
        return _changed(answer, body=msgspec.json.encode(body)) if "value" in body else answer

    with wrapped_session(Misleading, state=":memory:", speed="max") as (session, line):
        session.pools()
        before = set(line.hosts)
        line.change = link
        with contextlib.suppress(BatchImgError):  # it is no list, or the link cannot be read
            session.vms()
        assert line.hosts == before


def test_own_hosts_are_known_in_upper_case_with_their_port_and_below() -> None:
    policy = TokenHosts(lambda: [f"https://{OWN}", "https://"])
    for good in (f"https://{OWN.upper()}/x", f"https://{OWN}:443/x", f"https://eastus2.{OWN}/x?a=@b"):
        policy.on_request(_request(good))
    for place in PLACES:
        with pytest.raises(ServiceError, match="was not followed"):
            policy.on_request(_request(f"https://{place}/x"))


def _request(url: str) -> PipelineRequest[Any]:
    return PipelineRequest(HttpRequest("GET", url), PipelineContext(None))
