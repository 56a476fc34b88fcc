"""The certificate authorities and the proxy of the environment, with Azure's hosts behind a proxy on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchimg_magics import Session
from batchimg_magics.emulator.emulator import open_emulator
from batchimg_magics.emulator.http import planes
from batchimg_magics.emulator.http.tokens import TENANT
from batchimg_magics.errors import NotConnectedError, ServiceError, SpecError
from tests.support.azure_sessions import TARGET
from tests.support.intercepted_azure import BATCH_HOST, HOSTS, InterceptedAzure, intercept_azure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InterceptedAzure]:
    local = open_emulator(speed=1.0)
    with intercept_azure(local, tmp_path_factory.mktemp("network")) as running:
        yield running
    local.close()


@pytest.fixture(autouse=True)
def _inside(network: InterceptedAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    network.connected.clear()
    settings = {"TENANT_ID": TENANT, "CLIENT_ID": "me", "CLIENT_SECRET": "any"}
    for name, value in settings.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    monkeypatch.setenv("HTTPS_PROXY", network.url)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_every_service_is_reached_through_the_proxy_and_with_the_authorities_of_the_network(
    variable: str, network: InterceptedAzure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(network.authority))
    with Session() as session:
        session.connect(**TARGET, sign_in="environment")
        session.call(lambda azure: azure.get("/pools?api-version=2025-06-01", plane="batch"))
        rows, read = session.call(lambda azure: azure.prices.rows("armSkuName eq 'Standard_D2s_v3'", "eastus"))
    assert rows
    assert read
    assert set(network.connected) == set(HOSTS)
    # Connections are used again: a context of TLS for each request would open one for each.
    assert network.connected.count(planes.ARM_HOST) == 1


@pytest.mark.parametrize("way", ["environment", None])
def test_a_certificate_that_is_not_trusted_is_told_with_the_variable(way: str | None) -> None:
    with Session() as session, pytest.raises(ServiceError, match=f"certificate of {planes.LOGIN_HOST}") as refused:
        session.connect(**TARGET, **({"sign_in": way} if way else {}))
    assert "REQUESTS_CA_BUNDLE" in refused.value.hint


def test_a_cloud_whose_certificate_is_not_trusted_is_told_with_the_variable() -> None:
    with Session() as session, pytest.raises(NotConnectedError, match="does not respond") as unread:
        session.connect(**TARGET, cloud=f"https://{BATCH_HOST}")
    assert "REQUESTS_CA_BUNDLE" in unread.value.hint


def test_hosts_of_no_proxy_are_asked_directly(network: InterceptedAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(network.authority))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Session() as session, pytest.raises(NotConnectedError, match="does not respond"):
        session.connect(**TARGET, cloud="https://127.0.0.1:9/metadata/endpoints")
    assert network.connected == []


@pytest.mark.parametrize("content", [None, "no certificates"])
def test_authorities_that_cannot_be_read_are_told(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with Session() as session, pytest.raises(SpecError, match=r"authorities\.pem"):
        session.connect(**TARGET)


def test_an_empty_folder_of_authorities_trusts_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    with Session() as session, pytest.raises(ServiceError, match="is not trusted"):
        session.connect(**TARGET, sign_in="environment")
