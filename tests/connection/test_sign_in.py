"""Signing in: azure-identity does it, in every way that `connect` offers."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.credentials import AccessToken, AccessTokenInfo

from batchimg_magics.connection.sign_in import SignIn, SignInCredential
from batchimg_magics.core.azure.cloud import AZURE_PUBLIC
from batchimg_magics.emulator.furnish import SUBSCRIPTION
from batchimg_magics.emulator.http.messages import Refusal, Route
from batchimg_magics.emulator.http.router import Router
from batchimg_magics.emulator.http.tokens import TENANT, USER
from batchimg_magics.errors import AuthenticationError, SpecError
from tests.support.azure_sessions import TARGET, AzureSession, azure_session

if TYPE_CHECKING:
    from collections.abc import Iterator

ARM, BATCH = "https://management.azure.com/.default", "https://batch.core.windows.net//.default"
LOGIN, IMDS = "login.microsoftonline.com", "http://169.254.169.254/metadata/identity/oauth2/token"
CLIENT, OTHER = "b1d4c7a0-5e26-4f83-9a17-c0de10ca1a2e", "11111111-2222-3333-4444-555555555555"
SECRET = "known to few"  # noqa: S105 - it is no secret


@pytest.fixture
def principal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TENANT_ID": TENANT, "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)


@pytest.fixture
def azure() -> Iterator[AzureSession]:
    with azure_session() as opened:
        yield opened


def move_to_tenant(azure: AzureSession, tenant: str) -> None:
    """Let the subscription be one of another tenant, as for a guest."""
    with azure.local.store.transaction(write=True):
        item = azure.local.store.get(f"/subscriptions/{SUBSCRIPTION}")
        assert item is not None
        item.doc["tenantId"] = tenant
        azure.local.store.put(item)


@pytest.mark.usefixtures("principal")
@pytest.mark.parametrize("way", [None, "environment"])
def test_a_service_principal_in_the_environment_is_named_and_asks_once_for_each_service(
    azure: AzureSession, way: str | None
) -> None:
    frame = azure.session.connect(**TARGET, **({"sign_in": way} if way else {}))
    azure.session.pools()
    azure.session.images()
    assert frame["signed_in_as"][0] == f"service principal (client id {CLIENT})"
    assert frame["tenant"][0] == TENANT
    assert frame.attrs["caption"].endswith(f"signed in as service principal (client id {CLIENT})")
    asked = azure.forms(LOGIN)
    assert [url for url, _ in asked] == [f"https://{LOGIN}/{TENANT}/oauth2/v2.0/token"] * len(asked)
    assert len(asked) == len({body.partition("scope=")[2].partition("&")[0] for _, body in asked})
    assert SECRET not in f"{frame.attrs}{frame.to_csv()}"


def test_the_managed_identity_of_a_hub_is_named(azure: AzureSession) -> None:
    frame = azure.session.connect(**TARGET, sign_in="managed-identity")
    assert frame["signed_in_as"][0].startswith("managed identity hub-vm (client id ")
    assert "signed in as managed identity hub-vm" in frame.attrs["caption"]
    assert azure.requests[0][0].startswith(IMDS)


def test_without_an_option_a_hub_falls_back_to_its_managed_identity_and_says_so(
    azure: AzureSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    frame = azure.session.connect(**TARGET)
    assert frame["signed_in_as"][0] == f"managed identity identity-{CLIENT.partition('-')[0]} (client id {CLIENT})"


@pytest.mark.usefixtures("principal")
def test_a_subscription_of_another_tenant_needs_that_tenant(azure: AzureSession) -> None:
    move_to_tenant(azure, OTHER)
    with pytest.raises(AuthenticationError, match="InvalidAuthenticationTokenTenant") as refused:
        azure.session.connect(**TARGET)
    assert f'tenant="{OTHER}"' in refused.value.hint
    frame = azure.session.connect(**TARGET, tenant=OTHER, save_as="guest")
    assert frame["tenant"][0] == OTHER
    azure.session.pools()  # the data plane, too
    assert {url.split("/")[3] for url, _ in azure.forms(LOGIN)[1:]} == {OTHER}
    assert azure.session.connect(profile="guest")["tenant"][0] == OTHER


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sign_in": "password"}, "sign_in is 'password'"),
        ({"tenant": "a b"}, "tenant is 'a b'"),
        ({"tenant": OTHER, "sign_in": "managed-identity"}, "cannot be combined"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_any_request(
    azure: AzureSession, options: dict[str, str], problem: str
) -> None:
    with pytest.raises(SpecError, match=problem):
        azure.session.connect(**TARGET, **options)
    with pytest.raises(SpecError, match="subscription, resource_group, account missing"):
        azure.session.connect(tenant=OTHER)
    assert azure.requests == []


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("AADSTS7000215: Invalid client secret provided. Trace ID: 1", "value of the secret"),
        ("AADSTS90002: Tenant 'x' not found.", "cloud="),
        ("AADSTS53003: Access has been blocked by Conditional Access policies.", "conditional access"),
        ("AADSTS9999999: Something new.", "az login"),
    ],
)
@pytest.mark.usefixtures("principal")
@pytest.mark.parametrize("way", [None, "environment"])
def test_a_refusal_has_the_words_of_entra_and_what_to_do(way: str | None, code: str, advice: str) -> None:
    with azure_session() as azure:

        def refuse(_: Any) -> Any:
            raise Refusal(401, "invalid_client", code)

        azure.local.app.router = Router(
            [Route("login", "POST", "/{tenant}/oauth2/v2.0/token", refuse, versioned=False)]
        )
        with pytest.raises(AuthenticationError) as refused:
            azure.session.connect(**TARGET, **({"sign_in": way} if way else {}))
    assert code.partition(":")[0] in str(refused.value)
    assert advice in refused.value.hint
    assert SECRET not in f"{refused.value}{refused.value.hint}"


# -- credentials of the caller -----------------------------------------------------------------------------------


class Sync:
    """A synchronous credential, which waits and then signs in as somebody; it counts how often."""

    def __init__(self, azure: AzureSession | None = None) -> None:
        self.azure, self.asked, self.closed = azure, 0, False
        self.threads: set[str] = set()
        self.options: list[dict[str, Any]] = []
        self.began, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self.asked += 1
        self.options.append(options)
        self.threads.add(threading.current_thread().name)
        self.began.set()
        self.gate.wait(10)
        token = self.azure.local.credential.issue(scopes[0].removesuffix("/.default")) if self.azure else "opaque"
        return AccessToken(token, int(time.time()) + 3600)

    def close(self) -> None:
        self.closed = True


class Async(Sync):
    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # type: ignore[override] # the async protocol
        return Sync.get_token(self, *scopes, **options)


class OfInfo(Sync):
    """The other protocol of azure-core."""

    get_token = None  # type: ignore[assignment] # it has none

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        found = Sync.get_token(self, *scopes, **(options or {}))
        return AccessTokenInfo(found.token, found.expires_on)


@pytest.mark.parametrize("kind", [Sync, Async, OfInfo])
def test_a_session_takes_a_credential_of_the_caller_and_leaves_it_open(kind: type[Sync]) -> None:
    own = kind()
    with azure_session(credential=own) as azure:
        own.azure = azure
        frame = azure.session.connect(**TARGET)
        azure.session.pools()
        azure.session.connect(**TARGET)
        assert azure.forms(LOGIN) == []
        with pytest.raises(SpecError, match="has a credential of its own"):
            azure.session.connect(**TARGET, sign_in="cli")
    assert frame["signed_in_as"][0] == f"user {USER['upn']}"
    assert not own.closed
    assert (own.threads == {"batchimg"}) == (kind is Async)


def test_what_is_no_credential_is_refused() -> None:
    with pytest.raises(SpecError, match="which has no get_token"), azure_session(credential="key of the account"):
        pass


@contextmanager
def signing_in(own: object, **how: Any) -> Iterator[SignInCredential]:
    yield SignInCredential(SignIn(credential=own, **how), AZURE_PUBLIC, transport=None)  # type: ignore[arg-type] # unused


def test_clients_that_start_together_sign_in_once() -> None:
    own = Sync()

    async def work() -> list[AccessToken]:
        with signing_in(own) as credential:
            return list(await asyncio.gather(*(credential.get_token(ARM) for _ in range(20))))

    assert len(asyncio.run(work())) == 20
    assert own.asked == 1


def test_all_tokens_are_of_one_kind_so_that_a_person_signs_in_once() -> None:
    """azure-identity keeps tokens with continuous access evaluation apart from those without it."""
    own = Sync()

    async def work() -> None:
        with signing_in(own, tenant=OTHER) as credential:
            await credential.get_token(ARM, enable_cae=True)
            await credential.get_token(BATCH)
            await credential.get_token(ARM, claims=None, tenant_id=None)

    asyncio.run(work())
    assert own.options == [{"enable_cae": True, "tenant_id": OTHER}] * 2


def test_a_sign_in_whose_caller_gave_up_goes_on_for_the_next_one() -> None:
    own = Sync()
    own.gate.clear()

    async def work() -> None:
        with signing_in(own) as credential:
            first = asyncio.create_task(credential.get_token(ARM))
            await asyncio.to_thread(own.began.wait, 10)
            first.cancel()
            await asyncio.wait([first])
            second = asyncio.create_task(credential.get_token(ARM))
            await asyncio.sleep(0)
            own.gate.set()
            assert await second

    asyncio.run(work())
    assert own.asked == 1


def test_a_token_is_renewed_before_it_expires_and_when_azure_asks_for_more() -> None:
    class Short(Sync):
        def get_token(self, *scopes: str, **options: Any) -> AccessToken:
            token = Sync.get_token(self, *scopes, **options)
            return AccessToken(token.token, int(time.time()) + 200)

    async def work(own: Sync, **options: Any) -> None:
        with signing_in(own) as credential:
            await credential.get_token(ARM)
            await credential.get_token(ARM, **options)
            assert credential.identity is None  # the token tells nothing

    for own, options in ((Short(), {}), (Sync(), {"claims": "{}"})):
        asyncio.run(work(own, **options))
        assert own.asked == 2
