"""The proxy: Azure's host names lead to the emulator, nothing else does, and it is no relay to other hosts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from batchimg_magics.emulator import open_emulator, server
from batchimg_magics.emulator.serving import certificates, hosts
from batchimg_magics.emulator.serving.proxy import HEAD_LIMIT_BYTES, Proxy
from batchimg_magics.emulator.serving.running import Running, run_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("uvicorn", reason="the extra 'server' is not installed")
IDENTITY = "http://169.254.169.254/metadata/identity/oauth2/token?resource=https://management.azure.com/"


@dataclass(frozen=True, slots=True)
class Served:
    """A served emulator with its proxy, and the certificates."""

    running: Running
    home: Path
    made: certificates.Certificates

    def say(self, text: str, *, end: bool = False) -> str:
        """Return everything that the proxy answers to a text before it closes the connection."""
        with socket.create_connection(("127.0.0.1", int(self.running.proxy.rpartition(":")[2])), timeout=20) as opened:
            opened.sendall(text.encode())
            if end:
                opened.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: opened.recv(65536), b"")).decode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("proxy")
    made = certificates.make_certificates(home, home, hosts.certificate_names(), environment={})
    emulator = open_emulator(speed=1)
    with run_server(emulator.app, 1, made) as running:
        yield Served(running, home, made)
    emulator.close()


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("https://management.azure.com/metadata/endpoints?api-version=2022-09-01", 200),
        ("https://eastus.management.azure.com/metadata/endpoints?api-version=2022-09-01", 200),
        ("https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration", 200),
        ("https://login.windows.net/common/v2.0/.well-known/openid-configuration", 200),
        ("https://prices.azure.com/api/retail/prices", 200),
        ("https://genomicsbatch.eastus.batch.azure.com/pools?api-version=2025-06-01", 401),
        ("https://batch.core.windows.net/", 501),
    ],
)
def test_each_name_of_azure_has_a_trusted_certificate(served: Served, url: str, status: int) -> None:
    trust = ssl.create_default_context(cafile=served.made.authority)
    with httpx.Client(proxy=served.running.proxy, verify=trust, trust_env=False) as client:
        assert client.get(url).status_code == status


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("CONNECT example.org:443", 403, "example.org is not served by the emulator; --allow-internet"),
        ("CONNECT management.azure.com.evil.example:443", 403, "--allow-internet"),
        ("CONNECT evil.cloudapp.azure.com:443", 403, "--allow-internet"),
        ("CONNECT management.azure.com:22", 403, "on port 443 with TLS only"),
        ("CONNECT 127.0.0.1:22", 403, "programs reach this machine without the proxy"),
        ("CONNECT [::1]:22", 403, "programs reach this machine without the proxy"),
        ("CONNECT localhost.:22", 403, "programs reach this machine without the proxy"),
        ("CONNECT 169.254.169.254:443", 403, "not served"),
        ("CONNECT login.microsoftonline.us:443", 403, "public cloud"),
        ("CONNECT management.azure.com", 400, "needs a host and a port"),
        ("CONNECT management.azure.com:99999", 400, "99999 is not a port"),
        ("CONNECT a b:443", 400, "needs a host and a port"),
        ("GET http://example.org/", 403, "--allow-internet"),
        ("GET http://management.azure.com/subscriptions", 403, "TLS only"),
        ("GET http://169.254.169.254:8080/", 403, "not served"),
        ("GET /metadata/endpoints", 400, "This is a proxy"),
        ("GET http://169.254.169.254@example.org/", 400, "This is a proxy"),
        ("GET https://management.azure.com/", 400, "This is a proxy"),
        ("GET http://example.org:99999999/", 400, "This is a proxy"),
        ("GET http://[x]/", 400, "The URL cannot be read."),
        ("nonsense", 400, "HTTP/1.1"),
    ],
)
def test_everything_else_is_refused_with_one_line(served: Served, line: str, status: int, words: str) -> None:
    answer = served.say(f"{line} HTTP/1.1\r\nHost: management.azure.com\r\n\r\n" if " " in line else f"{line}\r\n\r\n")
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert words in head.splitlines()[0]
    assert body == head.splitlines()[0].partition(f"{status} ")[2] + "\n"


def test_connections_that_are_open_end_with_the_proxy_without_a_word(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with contextlib.ExitStack() as stack:
        emulator = stack.enter_context(contextlib.closing(open_emulator(speed=1)))
        with run_server(emulator.app, 1, served.made) as running:
            address = ("127.0.0.1", int(running.proxy.rpartition(":")[2]))
            for text in (b"CONN", b"CONNECT management.azure.com:443 HTTP/1.1\r\n\r\n"):
                opened = stack.enter_context(socket.create_connection(address, timeout=20))
                opened.sendall(text)
            assert opened.recv(100).startswith(b"HTTP/1.1 200 ")
    assert not caplog.records


def test_head_that_is_too_large_is_refused(served: Served) -> None:
    answer = served.say("GET http://169.254.169.254/ HTTP/1.1\r\nX: " + "x" * HEAD_LIMIT_BYTES * 2)
    assert answer.startswith("HTTP/1.1 431 ")


@pytest.mark.parametrize("end", [False, True])
def test_identity_is_answered_once_on_a_connection(served: Served, end: bool) -> None:  # noqa: FBT001
    request = (
        f"GET {IDENTITY} HTTP/1.1\r\nHost: other.example\r\nMetadata: true\r\nProxy-Connection: keep-alive\r\n\r\n"
    )
    answer = served.say(request * 2, end=end)
    assert answer.count("HTTP/1.1 ") == 1
    assert json.loads(answer.partition("\r\n\r\n")[2])["token_type"] == "Bearer"  # noqa: S105 - a kind of token
    direct = f"GET {IDENTITY[22:]} HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\nMetadata: true\r\n\r\n"
    tunnel = served.say(f"CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\n{direct}")
    assert tunnel.count("HTTP/1.1 200 ") == 2


def test_request_that_another_proxy_forwarded_gets_no_token(served: Served) -> None:
    head = f"GET {IDENTITY} HTTP/1.1\r\nMetadata: true\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
    assert served.say(head).startswith("HTTP/1.1 400 ")


def test_internet_is_reached_only_if_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello " + await reader.readuntil(b"\n"))
        writer.close()

    async def talk(name: str, **options: Any) -> str:
        outside = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = outside.sockets[0].getsockname()[1]
        proxy = Proxy(("127.0.0.1", 9), ssl.create_default_context(), **options)
        door = await asyncio.start_server(proxy.answer, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*door.sockets[0].getsockname())
        writer.write(f"CONNECT {name}:{port} HTTP/1.1\r\n\r\nworld\n".encode())
        answer = await reader.read()
        writer.close()
        door.close()
        outside.close()
        return answer.decode()

    real = socket.getaddrinfo

    def find(host: str, *rest: Any, **how: Any) -> Any:
        return real("127.0.0.1" if host == "example.org" else host, *rest, **how)

    monkeypatch.setattr(socket, "getaddrinfo", find)
    assert asyncio.run(talk("example.org", allow_internet=True)).endswith("\r\n\r\nhello world\n")
    assert asyncio.run(talk("example.org")).startswith("HTTP/1.1 403 ")
    assert asyncio.run(talk("management.chinacloudapi.cn", allow_internet=True)).startswith("HTTP/1.1 403 ")
    assert asyncio.run(talk("x" * 64, allow_internet=True)).startswith("HTTP/1.1 502 ")


def test_running_server_can_be_used(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    url = "https://management.azure.com/metadata/endpoints"
    script = f"import urllib.request; print(urllib.request.urlopen('{url}').status)"
    words = ["--url", served.running.url, "--certificates", str(served.home), "--", sys.executable, "-c", script]
    assert server.main(["exec", *words]) == 0
    assert capfd.readouterr().out == "200\n"


@pytest.mark.parametrize(
    "url", ["http://localhost:8443", "https://example.org", "localhost:8443", "https://localhost:x"]
)
def test_url_is_that_of_a_server_on_this_machine(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert server.main(["exec", "--url", url, "--certificates", str(tmp_path), "--", "true"]) == 1
    assert f"--url {url} is not an https URL of this machine" in capsys.readouterr().err
