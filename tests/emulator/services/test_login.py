"""Sign-in to the emulator: endpoints, OpenID configuration, and tokens that it checks."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from batchimg_magics.emulator.furnish import ACCOUNT, REGION, SUBSCRIPTION
from batchimg_magics.emulator.http.tokens import LIFETIME_S, TENANT, TokenIssuer
from tests.support.emulator_client import ARM, TOP, EmulatorClient

LOGIN = f"https://login.microsoftonline.com/{TENANT}"
BATCH = f"https://{ACCOUNT}.{REGION}.batch.azure.com"


@pytest.fixture
def azure() -> EmulatorClient:
    made = EmulatorClient()
    made.app = type(made.app)(made.store, made.clock, check_token=TokenIssuer(made.store).check)
    return made


def token(azure: EmulatorClient, **form: str) -> Any:
    body = urlencode({"grant_type": "client_credentials", "client_id": "me", "client_secret": "any", **form})
    return azure.ask("POST", f"{LOGIN}/oauth2/v2.0/token", body.encode(), headers={})


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize(
    ("scope", "url", "version"),
    [
        ("https://management.azure.com/.default", TOP, "2022-12-01"),
        ("https://management.core.windows.net//.default", TOP, "2022-12-01"),
        ("https://batch.core.windows.net//.default", f"{BATCH}/pools", "2025-06-01"),
        ("https://batch.core.windows.net/.default offline_access openid", f"{BATCH}/pools", "2025-06-01"),
    ],
)
def test_a_token_opens_the_plane_it_was_got_for(azure: EmulatorClient, scope: str, url: str, version: str) -> None:
    response = token(azure, scope=scope).body
    assert (response["token_type"], response["expires_in"]) == ("Bearer", LIFETIME_S)
    assert azure.ask("GET", url, version=version, headers=bearer(response["access_token"])).status == 200


def test_the_older_endpoint_takes_a_resource(azure: EmulatorClient) -> None:
    body = b"grant_type=client_credentials&resource=https%3A%2F%2Fmanagement.core.windows.net%2F"
    response = azure.ask("POST", f"{LOGIN}/oauth2/token", body, headers={}).body
    assert azure.ask("GET", TOP, version="2022-12-01", headers=bearer(response["access_token"])).status == 200


def test_a_token_for_another_audience_is_refused(azure: EmulatorClient) -> None:
    text = token(azure, scope="https://batch.core.windows.net//.default").body["access_token"]
    response = azure.ask("GET", TOP, version="2022-12-01", headers=bearer(text))
    assert (response.status, response.code) == (401, "InvalidAuthenticationTokenAudience")
    assert "management.azure.com" in response.message
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_token_that_has_run_out_is_refused(azure: EmulatorClient) -> None:
    old, _ = TokenIssuer(azure.store, wall=lambda: 1_000_000.0).issue(ARM)
    response = azure.ask("GET", TOP, version="2022-12-01", headers=bearer(old))
    assert (response.status, response.code) == (401, "ExpiredAuthenticationToken")


@pytest.mark.parametrize("text", ["x", "a.b.c", "a.b.é"])
def test_a_token_from_elsewhere_is_refused(azure: EmulatorClient, text: str) -> None:
    response = azure.ask("GET", TOP, version="2022-12-01", headers=bearer(text))
    assert (response.status, response.code) == (401, "InvalidAuthenticationToken")


def test_no_token_is_refused_on_each_plane_in_its_shape(azure: EmulatorClient) -> None:
    arm = azure.ask("GET", TOP, version="2022-12-01", headers={})
    assert (arm.status, arm.code) == (401, "AuthenticationFailed")
    batch = azure.ask("GET", f"{BATCH}/pools", version="2025-06-01", headers={})
    assert (batch.status, batch.body["code"]) == (401, "AuthenticationFailed")
    assert batch.body["values"][0]["key"] == "AuthenticationErrorDetail"
    assert "resource_id" in batch.headers["WWW-Authenticate"]


def test_a_form_without_a_grant_is_refused(azure: EmulatorClient) -> None:
    response = azure.ask("POST", f"{LOGIN}/oauth2/v2.0/token", b"scope=x", headers={})
    assert (response.status, response.body["error"]) == (400, "invalid_request")
    assert response.body["error_codes"] == [900144]


def test_the_openid_configuration_leads_to_the_token_endpoint(azure: EmulatorClient) -> None:
    response = azure.ask("GET", f"{LOGIN}/v2.0/.well-known/openid-configuration", headers={}).body
    assert response["token_endpoint"] == f"{LOGIN}/oauth2/v2.0/token"
    assert response["issuer"] == f"{LOGIN}/v2.0"


def test_endpoints_and_tenants(azure: EmulatorClient) -> None:
    cloud = azure.ask("GET", f"{ARM}/metadata/endpoints", version="2022-09-01", headers={}).body
    assert cloud["resourceManager"] == ARM
    assert azure.ask("GET", f"{ARM}/metadata/endpoints", version="2019-05-01", headers={}).body == [cloud]
    older = azure.ask("GET", f"{ARM}/metadata/endpoints", version="2015-01-01", headers={}).body
    assert older["authentication"]["loginEndpoint"] == "https://login.microsoftonline.com"
    headers = bearer(token(azure, scope=f"{ARM}/.default").body["access_token"])
    tenants = azure.ask("GET", f"{ARM}/tenants", version="2022-12-01", headers=headers).body["value"]
    assert [row["tenantId"] for row in tenants] == [TENANT]
    rows = azure.ask("GET", f"{ARM}/subscriptions", version="2022-12-01", headers=headers).body["value"]
    assert [(row["subscriptionId"], row["tenantId"]) for row in rows] == [(SUBSCRIPTION, TENANT)]


def test_on_a_bare_host_everything_is_found_by_its_path(azure: EmulatorClient) -> None:
    here = "http://127.0.0.1:8443"
    cloud = azure.ask("GET", f"{here}/metadata/endpoints", version="2022-09-01", headers={}).body
    assert (cloud["resourceManager"], cloud["authentication"]["loginEndpoint"]) == (here, here)
    response = azure.ask(
        "POST", f"{here}/{TENANT}/oauth2/v2.0/token", b"grant_type=password&scope=https://batch.core.windows.net"
    )
    signed = bearer(response.body["access_token"])
    pools = azure.ask("GET", f"{here}/{ACCOUNT}/pools", version="2025-06-01", headers=signed)
    assert (pools.status, pools.body["value"]) == (200, [])
    own = azure.ask("GET", f"{here}/supportedimages?maxresults=1", version="2022-10-01.16.0", headers=signed)
    assert (own.status, own.body["odata.nextLink"].partition("?")[0]) == (200, f"{here}/supportedimages")
    gone = azure.ask("GET", f"{here}/pools/none", version="2022-10-01.16.0", headers=signed)
    assert (gone.status, gone.body["code"]) == (404, "PoolNotFound")
    assert azure.ask("GET", f"{here}/api/retail/prices", headers={}).body["Count"] == 1000
