"""The server bounds what it reads, and its control API wants the token: with a real server on loopback."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from batchimg_magics.emulator.app import create_app
from batchimg_magics.emulator.serving import limits
from batchimg_magics.emulator.serving.hosts import LOCALHOST, open_listener
from batchimg_magics.emulator.serving.running import make_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchimg_magics.emulator.serving.hosts import AsgiApp, Receive, Send

TOKEN = "t0ken"  # noqa: S105 - of this test
SHORT_S = 0.2


@contextmanager
def served(
    head_s: float, read_s: float = 60.0, most: int = limits.MAX_CONNECTIONS, app: AsgiApp | None = None
) -> Iterator[int]:
    """Serve an app, by default an emulator, with these limits, and yield its port."""
    with pytest.MonkeyPatch.context() as patch, open_listener(LOCALHOST, 0) as listener:
        bounded = limits.bounded_protocol(head_s, read_s)
        patch.setattr("batchimg_magics.emulator.serving.running.bounded_protocol", lambda: bounded)
        patch.setattr("batchimg_magics.emulator.serving.running.MAX_CONNECTIONS", most)
        patch.setattr(limits.with_limits, "__kwdefaults__", {"body_s": SHORT_S})
        server = make_server(app or create_app(), 1.0, None, control_token=TOKEN)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(SHORT_S) as found:
        yield found


def exchange(port: int, sent: bytes) -> bytes:
    """Send bytes and return all that comes until the server closes the connection."""
    with socket.create_connection((LOCALHOST, port), timeout=20) as connection:
        connection.sendall(sent)
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
        except ConnectionResetError:  # closed with bytes that it has not read
            pass
    return answer


def test_a_large_body_is_refused_before_it_is_read(port: int) -> None:
    head = b"POST /subscriptions HTTP/1.1\r\nHost: localhost\r\n"
    assert b" 413 " in exchange(port, head + b"Content-Length: 99999999999\r\n\r\n")
    assert b" 413 " in exchange(port, head + b"Content-Length: 16777217\r\n\r\n")
    chunk = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"
    assert b" 413 " in exchange(port, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 17)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HT",
        b"GET /subscriptions HTTP/1.1\r\nHost: localhost\r\nX-Half: ",
        b"GET /subscriptions HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 200_000,
    ],
)
def test_a_half_sent_head_is_closed(port: int, sent: bytes) -> None:
    assert b" 200 " not in exchange(port, sent)


def test_a_half_sent_body_is_answered_in_time(port: int) -> None:
    head = b"POST /subscriptions HTTP/1.1\r\nHost: localhost\r\n"
    assert b" 408 " in exchange(port, head + b"Content-Length: 9\r\n\r\nhalf")
    assert b" 408 " in exchange(port, head + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")


def test_the_control_api_wants_its_token(port: int) -> None:
    url = f"http://localhost:{port}"
    with httpx.Client(base_url=url, trust_env=False) as client:
        for headers in ({}, {"X-Control-Token": "wrong"}, {"Authorization": f"Bearer {TOKEN}"}):
            for path in ("/_sim/dump", "/_SIM/dump", "/_sim"):
                answer = client.get(path, headers=headers)
                assert answer.status_code == 401
                assert TOKEN not in answer.text
        assert client.get("/_sim/faults", headers={"X-Control-Token": TOKEN}).status_code == 200
        assert client.get("/metadata/endpoints?api-version=2019-05-01").status_code == 200


def test_other_names_and_web_pages_are_refused(port: int) -> None:
    with httpx.Client(base_url=f"http://localhost:{port}", trust_env=False) as client:
        assert client.get("/", headers={"Host": "rebound.example.com"}).status_code == 421
        page = client.get("/", headers={"Origin": "https://example.com"})
        assert page.status_code == 403
        assert not [name for name in page.headers if name.startswith("access-control")]


def test_a_client_that_does_not_read_its_answer_is_cut_off() -> None:
    gone = threading.Event()

    async def large(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": bytes(64 * 2**20), "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

    with (
        served(60.0, read_s=SHORT_S, app=large) as port,
        socket.create_connection((LOCALHOST, port)) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert gone.wait(20)


def test_connections_above_the_limit_are_told_that_the_server_is_busy() -> None:
    ask = b"GET /metadata/endpoints?api-version=2019-05-01 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with served(60.0, most=3) as port:
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(socket.create_connection((LOCALHOST, port)))
            assert b" 503 " in exchange(port, ask)
        while b" 503 " in (answer := exchange(port, ask)):  # until the server has seen that the others are gone
            pass
        assert b" 200 " in answer
