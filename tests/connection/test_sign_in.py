"""Sign-in: a service principal in the environment by one request, everything else by azure-identity."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from batchimg_magics.connection.sign_in import SignInCredential
from batchimg_magics.core.azure.client import Azure, Scope
from batchimg_magics.emulator.emulator import open_emulator
from batchimg_magics.emulator.furnish import ACCOUNT, GROUP, SUBSCRIPTION
from batchimg_magics.emulator.http.tokens import TENANT
from batchimg_magics.errors import AuthenticationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

ARM, BATCH = "https://management.azure.com/.default", "https://batch.core.windows.net//.default"
PRINCIPAL = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": "me", "AZURE_CLIENT_SECRET": "known to few"}


@pytest.fixture(autouse=True)
def _principal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_AUTHORITY_HOST", "AZURE_TOKEN_CREDENTIALS", "AZURE_REGIONAL_AUTHORITY_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in PRINCIPAL.items():
        monkeypatch.setenv(name, value)


class Watched:
    """A transport that notes what it is asked for."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def send(self, request: Any, **options: Any) -> Any:
        self.asked.append(request.url)
        return await self._inner.send(request, **options)


@contextmanager
def line() -> Iterator[Watched]:
    local = open_emulator(speed=1.0)
    yield Watched(local.transport)
    local.close()


def run(work: Callable[[SignInCredential], Coroutine[Any, Any, Any]], transport: Watched) -> Any:
    async def signed_in() -> Any:
        async with SignInCredential(transport) as credential:  # type: ignore[arg-type] # it is one in all that is asked of it
            return await work(credential)

    return asyncio.run(signed_in())


def test_azure_takes_its_tokens_and_each_is_asked_for_once() -> None:
    async def work(credential: SignInCredential) -> str:
        azure = Azure(Scope(SUBSCRIPTION, GROUP, ACCOUNT), credential, transport)  # type: ignore[arg-type] # as above
        await credential.get_token(ARM)
        account = await azure.account()
        await azure.get("/pools?api-version=2025-06-01", plane="batch")
        await credential.get_token(BATCH)
        return str(account["name"])

    with line() as transport:
        assert run(work, transport) == ACCOUNT
        tokens = [url for url in transport.asked if "login.microsoftonline.com" in url]
        assert tokens == [f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"] * 2


def test_a_refusal_has_the_reason_and_not_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(credential: SignInCredential) -> None:
        azure = Azure(Scope(SUBSCRIPTION, GROUP, ACCOUNT), credential, transport)  # type: ignore[arg-type] # as above
        await azure.account()

    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/nowhere/")
    with (
        line() as transport,
        pytest.raises(AuthenticationError, match=r"service principal .* was refused: ") as refused,
    ):
        run(work, transport)
    assert "az login" in refused.value.hint
    assert PRINCIPAL["AZURE_CLIENT_SECRET"] not in f"{refused.value}{refused.value.hint}"


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        ({"AZURE_CLIENT_SECRET": ""}, {}),
        ({"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}, {}),
        ({"AZURE_AUTHORITY_HOST": "http://login.microsoftonline.com"}, {}),
        ({}, {"claims": "{}"}),
        ({}, {"tenant_id": "another"}),
    ],
)
def test_everything_else_is_for_azure_identity(
    environment: dict[str, str], options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Others:
        """azure-identity, as far as it is asked."""

        async def get_token(self, *scopes: str, **given: str) -> Any:
            raise ClientAuthenticationError(f"{scopes} {given}")

        async def close(self) -> None:
            pass

    monkeypatch.setattr("azure.identity.aio.DefaultAzureCredential", Others)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with line() as transport, pytest.raises(ClientAuthenticationError) as asked:
        run(lambda credential: credential.get_token(ARM, **options), transport)
    assert str(asked.value) == f"('{ARM}',) {options}"
    assert transport.asked == []
