"""Clouds: their hosts, their audiences, and their price lists, by name or from their own metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core import AzureClouds
from azure.identity import AzureAuthorityHosts
from azure.mgmt.core.tools import get_arm_endpoints

from batchimg_magics.connection import clouds
from batchimg_magics.connection.profiles import read_profile
from batchimg_magics.core.azure.cloud import AZURE_CHINA, AZURE_PUBLIC, AZURE_US_GOVERNMENT, Cloud
from batchimg_magics.emulator.app import provider_routes
from batchimg_magics.emulator.http.messages import Reply, Route
from batchimg_magics.emulator.http.router import Router
from batchimg_magics.emulator.http.tokens import TENANT
from batchimg_magics.errors import NotConnectedError, SpecError
from tests.support.azure_sessions import TARGET, AzureSession, azure_session

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLIC_HOSTS = {
    "management.usgovcloudapi.net": "management.azure.com",
    "management.chinacloudapi.cn": "management.azure.com",
    "login.microsoftonline.us": "login.microsoftonline.com",
    "login.chinacloudapi.cn": "login.microsoftonline.com",
    "management.private.example": "management.azure.com",
    "login.private.example": "login.microsoftonline.com",
}
#: The audiences of the planes in those clouds -> those of the emulator.
AUDIENCES = {
    "https://management.core.usgovcloudapi.net/.default": "https://management.azure.com/.default",
    "https://batch.core.usgovcloudapi.net//.default": "https://batch.core.windows.net//.default",
    "https://management.chinacloudapi.cn/.default": "https://management.azure.com/.default",
    "https://batch.chinacloudapi.cn//.default": "https://batch.core.windows.net//.default",
    "https://arm.private.example//.default": "https://management.azure.com/.default",
    "https://batch.private.example//.default": "https://batch.core.windows.net//.default",
}
PRIVATE = "https://management.private.example"
METADATA: dict[str, Any] = {
    "name": "PrivateCloud",
    "authentication": {
        "loginEndpoint": "https://login.private.example/",
        "audiences": ["https://arm.private.example/", "https://other.private.example/"],
    },
    "resourceManager": f"{PRIVATE}/",
    "batch": "https://batch.private.example/",
}


@pytest.fixture(autouse=True)
def _principal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TENANT_ID": TENANT, "CLIENT_ID": "me", "CLIENT_SECRET": "any"}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)


def lead_to_emulator(request: Any) -> None:
    """Lead a request to the emulator, whose hosts and audiences are those of the public cloud."""
    parts = urlsplit(request.url)
    request.url = parts._replace(netloc=PUBLIC_HOSTS.get(parts.netloc, parts.netloc)).geturl()
    form = getattr(request, "data", None)
    if isinstance(form, dict) and "scope" in form:
        form["scope"] = AUDIENCES.get(form["scope"], form["scope"])


@pytest.fixture
def azure() -> Iterator[AzureSession]:
    with azure_session(answer=lead_to_emulator) as opened:
        yield opened


def serve_metadata(azure: AzureSession, *answers: Any) -> None:
    """Let the emulator answer with other metadata, as with these in turn."""
    left = list(answers)
    every = (route for routes in provider_routes() for route in routes.table)
    routes = [route for route in every if route.path != "/metadata/endpoints"]
    answer = Route("arm", "GET", "/metadata/endpoints", lambda _: Reply(200, left.pop(0)), versioned=False)
    azure.local.app.router = Router([*routes, answer])


@pytest.mark.parametrize(
    ("cloud", "setting", "authority"),
    [
        (AZURE_PUBLIC, AzureClouds.AZURE_PUBLIC_CLOUD, AzureAuthorityHosts.AZURE_PUBLIC_CLOUD),
        (AZURE_US_GOVERNMENT, AzureClouds.AZURE_US_GOVERNMENT, AzureAuthorityHosts.AZURE_GOVERNMENT),
        (AZURE_CHINA, AzureClouds.AZURE_CHINA_CLOUD, AzureAuthorityHosts.AZURE_CHINA),
    ],
)
def test_the_clouds_of_microsoft_are_those_of_its_sdks(cloud: Cloud, setting: AzureClouds, authority: str) -> None:
    endpoints = get_arm_endpoints(setting)
    assert f"{cloud.resource_manager}/" == endpoints["resource_manager"]
    assert [cloud.arm_scope] == endpoints["credential_scopes"]
    assert cloud.authority == f"https://{authority}"


def hosts_and_scopes(azure: AzureSession) -> tuple[set[str], set[str]]:
    hosts = {urlsplit(url).netloc for url, _ in azure.requests}
    return hosts, {scope for _, body in azure.requests for scope in parse_qs(body).get("scope", [])}


@pytest.mark.parametrize("cloud", [AZURE_US_GOVERNMENT, AZURE_CHINA], ids=lambda cloud: cloud.name)
def test_every_request_and_token_is_of_the_named_cloud(azure: AzureSession, cloud: Cloud) -> None:
    frame = azure.session.connect(**TARGET, cloud=cloud.name.lower(), save_as="far")
    azure.session.vms()  # an SDK client of Compute
    azure.session.images()  # and that of Batch in Resource Manager, and raw pages
    azure.session.pools()
    azure.session.call(lambda client: client.get("/pools?api-version=2025-06-01", plane="batch"))
    hosts, scopes = hosts_and_scopes(azure)
    batch = {host for host in hosts if host.endswith(".batch.azure.com")}  # its address is in the account's document
    assert hosts - batch == {urlsplit(url).netloc for url in (cloud.resource_manager, cloud.authority)}
    assert scopes == {cloud.arm_scope, cloud.batch_scope}
    assert frame["cloud"][0] == cloud.name
    assert (
        f"{cloud.name}: nodes are billed; prices are not known, because {cloud.name} has no" in frame.attrs["caption"]
    )
    assert azure.session.label.startswith("AZURE · genomicsbatch")
    azure.session.connect(profile="far")
    assert azure.session.connection is not None
    assert azure.session.connection.azure.cloud == cloud


def test_without_a_price_list_prices_are_unknown_and_a_limit_of_costs_is_refused(azure: AzureSession) -> None:
    with pytest.raises(SpecError, match="AzureChinaCloud has no public price list"):
        azure.session.connect(**TARGET, cloud="AzureChinaCloud", max_cost_per_hour=10)
    assert azure.requests == []
    azure.session.connect(**TARGET, cloud="AzureChinaCloud")
    sizes = azure.session.estimate(tasks=10, minutes=5, deadline="2h")
    assert sizes["usd"].isna().all()
    assert not any("prices" in url for url, _ in azure.requests)


@pytest.mark.parametrize(
    "shape", [METADATA, [METADATA], [{**METADATA, "resourceManager": "https://x.example"}, METADATA]]
)
@pytest.mark.parametrize("url", [PRIVATE, f"{PRIVATE}/", f"{PRIVATE}/metadata/endpoints?api-version=2019-05-01"])
def test_a_cloud_of_its_own_is_read_from_its_metadata(azure: AzureSession, shape: Any, url: str) -> None:
    serve_metadata(azure, shape)
    frame = azure.session.connect(**TARGET, cloud=url)
    azure.session.pools()
    first, *_ = azure.requests
    assert first[0].startswith(f"{PRIVATE}/metadata/endpoints?api-version=20")
    hosts, scopes = hosts_and_scopes(azure)
    assert {"management.private.example", "login.private.example"} <= hosts
    assert not {"management.azure.com", "login.microsoftonline.com"} & hosts
    assert "https://arm.private.example//.default" in scopes
    assert frame["cloud"][0] == "PrivateCloud"
    assert azure.session.label.startswith("AZURE · genomicsbatch")


def test_no_token_goes_to_the_metadata() -> None:
    sent: list[Any] = []

    def note(request: Any) -> None:
        sent.append(request)
        lead_to_emulator(request)

    with azure_session(answer=note) as other:
        serve_metadata(other, METADATA)
        other.session.connect(**TARGET, cloud=PRIVATE)
    assert "Authorization" not in sent[0].headers


@pytest.mark.parametrize(
    "content",
    [
        [],
        "no object",
        {"name": "x"},
        {**METADATA, "authentication": {}},
        {**METADATA, "resourceManager": "http://management.private.example"},
        {**METADATA, "authentication": {**METADATA["authentication"], "loginEndpoint": "http://x"}},
        {**METADATA, "authentication": {**METADATA["authentication"], "audiences": []}},
    ],
)
def test_what_is_no_metadata_of_a_cloud_is_told(azure: AzureSession, content: Any) -> None:
    serve_metadata(azure, content)
    with pytest.raises(NotConnectedError, match="does not describe a cloud"):
        azure.session.connect(**TARGET, cloud=PRIVATE)


@pytest.mark.parametrize("name", ["AzureClod", "http://127.0.0.1:8443", "https://", "ftp://x"])
def test_what_is_no_cloud_is_refused_before_any_request(azure: AzureSession, name: str) -> None:
    with pytest.raises(SpecError, match=r"cloud is|https"):
        azure.session.connect(**TARGET, cloud=name)
    assert azure.requests == []


def test_the_variable_names_a_cloud_where_neither_option_nor_profile_does(
    azure: AzureSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_RESOURCE_MANAGER", "https://management.usgovcloudapi.net/")
    assert azure.session.connect(**TARGET, save_as="by variable")["cloud"][0] == "AzureUSGovernment"
    monkeypatch.delenv("AZURE_RESOURCE_MANAGER")
    assert azure.session.connect(profile="by variable")["cloud"][0] == "AzureUSGovernment"
    assert azure.session.connect(**TARGET, cloud="AzureCloud")["cloud"][0] == "AzureCloud"
    assert azure.session.connect(profile="by variable", cloud="AzureCloud")["cloud"][0] == "AzureCloud"


def test_a_profile_has_cloud_tenant_and_way_and_no_secret(azure: AzureSession) -> None:
    azure.session.connect(**TARGET, cloud="AzureCloud", tenant=TENANT, sign_in="environment", save_as="lab")
    saved = read_profile("lab")
    assert (saved.cloud, saved.tenant, saved.sign_in) == ("AzureCloud", TENANT, "environment")
    assert "any" not in json.dumps([saved.cloud, saved.tenant, saved.sign_in])
    assert azure.session.names("profile") == ["lab"]
    assert azure.session.names("cloud") == list(clouds.CLOUD_NAMES)


def test_a_profile_has_the_tags_of_the_connection(azure: AzureSession) -> None:
    azure.session.connect(**TARGET, tag={"Owner": "lab"}, save_as="lab")
    assert azure.session.connect(profile="lab")["tags"][0] == "Owner=lab"
    assert azure.session.connect(profile="lab", tag={"owner": "me", "x": "y"})["tags"][0] == "owner=me, x=y"
    assert read_profile("lab").tags == {"Owner": "lab"}
    with pytest.raises(SpecError, match="reserved for Azure"):
        azure.session.connect(**TARGET, tag={"azure": "1"}, save_as="bad")
    assert azure.session.names("profile") == ["lab"]
