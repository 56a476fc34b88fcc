"""The emulator on a port: on loopback only, for hosts of this machine only, with a trusted TLS certificate."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from batchimg_magics.emulator import open_emulator, server
from batchimg_magics.emulator.furnish import ACCOUNT, SUBSCRIPTION
from batchimg_magics.emulator.http.tokens import TENANT
from batchimg_magics.emulator.serving import certificates, hosts, running
from tests.support.documents import managed, vm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("uvicorn", reason="the extra 'server' is not installed")
RUN = "import sys; from batchimg_magics.ui.cli import main; sys.exit(main())"
GROUPS = f"/subscriptions/{SUBSCRIPTION}/resourcegroups?api-version=2021-04-01"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])  # noqa: S104 - must be refused
def test_only_loopback_is_served(host: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="loopback"):
        hosts.loopback(host)


@pytest.mark.parametrize(("host", "address"), [("localhost", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("::1", "::1")])
def test_addresses_of_loopback_are_taken(host: str, address: str) -> None:
    assert hosts.loopback(host) == address


def status(*names: bytes, pages: tuple[bytes, ...] = ()) -> int:
    """Return the status that a request with these Host headers gets; a browser adds the origin of the page."""
    said: list[int] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def send(message: dict[str, Any]) -> None:
        said.extend([message["status"]] if "status" in message else [])

    headers = [*((b"host", name) for name in names), *((b"origin", page) for page in pages)]
    scope = {"type": "http", "path": "/", "headers": headers}
    asyncio.run(hosts.with_host_check(app)(scope, None, send))  # type: ignore[arg-type] # nothing is received
    return said[0]


@pytest.mark.parametrize(
    "host", [b"localhost:8443", b"127.0.0.1", b"[::1]:8443", b"a.eastus.batch.azure.com", b"login.microsoftonline.com"]
)
def test_hosts_of_this_machine_and_azure_are_answered(host: bytes) -> None:
    assert status(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"localhost.evil.example",
        b"",
        b"[::2]:8443",
        b"azure.com.evil",
        b"evil.eastus.cloudapp.azure.com",
    ],
)
def test_other_hosts_are_not(host: bytes) -> None:
    assert status(host) == 421


def test_request_of_no_host_or_of_two_is_not_answered() -> None:
    assert status() == status(b"localhost", b"evil.example") == 421


@pytest.mark.parametrize("page", [b"https://evil.example", b"http://localhost.evil.example:8443", b"null", b""])
def test_web_pages_of_other_hosts_are_not_answered(page: bytes) -> None:
    assert status(b"localhost:8443", pages=(page,)) == 403


def test_web_page_of_this_machine_is_answered() -> None:
    assert status(b"localhost:8443", pages=(b"http://localhost:3000",)) == 200


def made(home: Path) -> certificates.Certificates:
    """Make certificates, with a user who trusts nothing else."""
    return certificates.make_certificates(home, home, hosts.certificate_names(), environment={})


def test_authority_is_kept_and_its_key_is_private(tmp_path: Path) -> None:
    first = made(tmp_path / "tls")
    authority = first.authority.read_bytes()
    again = made(tmp_path / "tls")
    assert first == again
    assert first.authority.read_bytes() == authority
    for key in (tmp_path / "tls").glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_introduction_points_each_client_at_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NODE_EXTRA_CA_CERTS", raising=False)
    local = open_emulator(speed=60)
    trusted = made(tmp_path)
    text = server.introduction("https://localhost:1", local, trusted)
    local.close()
    response = dict(re.findall(r"export (\w+)='(.*)'", text))
    assert response["AZURE_AUTHORITY_HOST"] == "https://localhost:1"
    assert response["AZURE_BATCH_ENDPOINT"] == f"https://localhost:1/{ACCOUNT}"
    assert response["AZURE_TENANT_ID"] == TENANT
    assert {response[name] for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")} == {str(trusted.bundle)}
    assert response["NODE_EXTRA_CA_CERTS"] == str(trusted.authority)


def waits(retry_after: bytes, speed: float) -> bytes:
    """Return the Retry-After that clients receive at this speed."""
    said: list[tuple[bytes, bytes]] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 202, "headers": [(b"retry-after", retry_after)]})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: dict[str, Any]) -> None:
        said.extend(message.get("headers", []))

    asyncio.run(running.with_real_retry_after(app, speed)({"type": "http"}, None, send))  # type: ignore[arg-type] # nothing is received
    return dict(said)[b"retry-after"]


@pytest.mark.parametrize(
    ("response", "speed", "waited"),
    [(b"60", 1, b"60"), (b"60", 60, b"1"), (b"61", 60, b"2"), (b"2", 100_000, b"1"), (b"2", 0.5, b"4")],
)
def test_clients_wait_in_their_own_time(response: bytes, speed: float, waited: bytes) -> None:
    assert waits(response, speed) == waited


def test_what_cannot_be_served_is_reported_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.store").write_text("not a database, and long enough to be sure of it" * 40)
    assert server.main(["--state", str(tmp_path / "no.store")]) == 1
    assert "no.store" in capsys.readouterr().err
    assert server.main(["--speed", "0"]) == 1
    assert "speed" in capsys.readouterr().err


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Serve an emulator from another process; return what it prints, with the URL."""
    home = tmp_path_factory.mktemp("served")
    words = ["--port", "0", "--state", str(home / "w.db"), "--certificates", "tls", "--control"]
    line = [sys.executable, "-c", RUN, "emulator", *words]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=home) as process:
        assert process.stdout is not None
        said = {}
        for line in process.stdout:
            said.update(re.findall(r"export (\w+)='(.*)'", line))
            if line.startswith("az "):
                break
        yield said | {"url": said["AZURE_AUTHORITY_HOST"]}
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


@pytest.fixture
def client(served: dict[str, str]) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=served["SSL_CERT_FILE"])
    token = {"X-Control-Token": served["BATCHIMG_CONTROL_TOKEN"]}
    with httpx.Client(base_url=served["url"], verify=context, trust_env=False, headers=token) as opened:
        yield opened


def signed_in(client: httpx.Client, scope: str) -> dict[str, str]:
    form = {"grant_type": "client_credentials", "scope": scope, "client_id": "me", "client_secret": "anything"}
    answer = client.post(f"/{TENANT}/oauth2/v2.0/token", data=form)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_client_signs_in_and_reads_arm_and_batch(client: httpx.Client) -> None:
    arm = signed_in(client, "https://management.azure.com/.default")
    batch = signed_in(client, "https://batch.core.windows.net//.default")
    assert [group["name"] for group in client.get(GROUPS, headers=arm).json()["value"]] == ["research"]
    pools = f"/{ACCOUNT}/pools?api-version=2025-06-01"
    assert client.get(pools, headers=batch).json()["value"] == []
    assert client.get(pools, headers=arm).status_code == 401
    assert client.get(GROUPS).status_code == 401


def test_links_lead_back_to_the_server(client: httpx.Client, served: dict[str, str]) -> None:
    arm = signed_in(client, "https://management.azure.com/.default")
    path = GROUPS.replace("resourcegroups", "resourceGroups/research/providers/Microsoft.Compute/disks/d")
    body = {"location": "eastus", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}}
    answer = client.put(path.replace("2021-04-01", "2023-10-02"), headers=arm, content=json.dumps(body))
    assert answer.status_code == 202
    assert answer.headers["Azure-AsyncOperation"].startswith(served["url"])
    assert answer.headers["Retry-After"] == "1"  # 2 s at a speed of 60
    assert client.get(answer.headers["Azure-AsyncOperation"], headers=arm).status_code == 200


def test_account_is_where_it_is_served(client: httpx.Client, served: dict[str, str]) -> None:
    arm = signed_in(client, "https://management.azure.com/.default")
    accounts = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Batch/batchAccounts?api-version=2025-06-01"
    (account,) = client.get(accounts, headers=arm).json()["value"]
    assert f"https://{account['properties']['accountEndpoint']}" == served["AZURE_BATCH_ENDPOINT"]


def test_lost_answer_breaks_the_connection(client: httpx.Client) -> None:
    assert client.post("/_sim/faults", json={"faults": [{"lost": "answer"}]}).status_code == 200
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/metadata/endpoints")
    assert client.get("/metadata/endpoints").status_code == 200


def test_other_host_gets_no_token(client: httpx.Client) -> None:
    answer = client.get("/metadata/endpoints", headers={"Host": "evil.example"})
    assert answer.status_code == 421


def test_a_port_in_use_is_reported(served: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    port = served["url"].rpartition(":")[2]
    assert server.main(["--port", port, "--no-tls"]) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["65536", "-1", "x"])
def test_number_that_is_no_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        server.main([f"--port={port}"])
    assert f"{port} is not a port" in capsys.readouterr().err


@pytest.mark.parametrize("speed", ["0", "nan", "inf"])
def test_speed_at_which_no_clock_runs_is_refused(speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert server.main(["--state", ":memory:", "--speed", speed]) == 1
    assert f"the speed has to be a number above 0, not {speed}" in capsys.readouterr().err


def test_listener_lets_small_writes_go_at_once() -> None:
    with hosts.open_listener("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # else asyncio leaves Nagle's algorithm on


def test_documents_are_imported_or_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, state = tmp_path / "vm.json", tmp_path / "state.db"
    words = ["exec", "--state", str(state), "--certificates", str(tmp_path / "tls")]
    words += ["--import", str(file), "--", "true"]
    file.write_text("Name  Location\n----  --------\nlab-vm  eastus\n")
    assert server.main(words) == 1
    assert "is a table (--output table)" in (told := capsys.readouterr().err)
    assert "\n  -> use --output json" in told
    assert not state.exists()
    document = vm("lab-vm", managed("lab-os"))
    file.write_text(json.dumps(document))
    assert server.main(words) == 0
    assert "import that document too: az disk show --ids" in capsys.readouterr().err
    local = open_emulator(state, speed=1.0, scenario="quota")
    assert local.store.get(document["id"]) is not None
    assert "Scenario quota: the core quotas of Batch accounts are small." in server.introduction(
        "https://x", local, None
    )
    local.close()
