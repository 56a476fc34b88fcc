"""Sign in to Microsoft Entra ID: azure-identity does it, and this module chooses its credential.

The credential is created for the first token, because the import of azure-identity takes long. Tokens are kept until
shortly before they expire: every SDK client asks for its own, and the credential of the Azure CLI starts a process for
each request.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self

from azure.core.credentials import AccessToken

from batchimg_magics.connection import trust
from batchimg_magics.connection.identity import Identity, read_identity
from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import SIGN_IN_WAYS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from azure.core.pipeline.transport import AsyncHttpTransport

    from batchimg_magics.core.azure.cloud import Cloud

__all__ = ["SignIn", "SignInCredential", "SignInPrompt", "check_credential"]

#: Seconds before its expiry at which a token is renewed. Source: azure-core's policies.
_REFRESH_MARGIN_S = 300
#: Letters, digits, dots and hyphens: an id or a domain. Source: `validate_tenant_id` of azure-identity.
_TENANT = re.compile(r"[A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class SignInPrompt:
    """What a person must do to sign in with a device code.

    Parameters
    ----------
    url
        The page to open, in any browser on any machine.
    code
        The code to enter there.
    expires
        When the code expires, in UTC.
    """

    url: str
    code: str
    expires: dt.datetime

    @property
    def text(self) -> str:
        """The instruction in one line."""
        return f"To sign in, open {self.url} and enter the code {self.code} (until {self.expires:%H:%M} UTC)"


@dataclass(frozen=True, slots=True)
class SignIn:
    """How to sign in.

    Parameters
    ----------
    way
        One of `SIGN_IN_WAYS`; None: what `DefaultAzureCredential` finds.
    tenant
        Id or domain of the tenant; None: the one of the credential.
    credential
        A credential of the caller, synchronous or asynchronous; it is used instead of a way, and not closed.
    show
        Called with the device code, on any thread.
    """

    way: str | None = None
    tenant: str | None = None
    credential: object | None = None
    show: Callable[[SignInPrompt], None] | None = None

    def check(self) -> None:
        """Raise SpecError if the parts do not go together."""
        if self.way is not None and self.way not in SIGN_IN_WAYS:
            raise SpecError(f"--sign-in is {self.way!r}", hint=f"it is one of: {', '.join(SIGN_IN_WAYS)}")
        if self.tenant is not None and not _TENANT.fullmatch(self.tenant):
            raise SpecError(f"--tenant is {self.tenant!r}", hint="specify the id or the domain name of the tenant")
        if self.tenant and self.way == "managed-identity":
            raise SpecError(
                "--tenant cannot be combined with --sign-in managed-identity",
                hint="remove --tenant: a managed identity exists in one tenant only",
            )
        if self.credential is not None and self.way is not None:
            raise SpecError(
                "--sign-in is given, and the session has a credential of its own",
                hint="remove --sign-in, or create the Session without credential=",
            )


def check_credential(credential: object) -> None:
    """Raise SpecError if an object is not a credential for tokens of Microsoft Entra ID."""
    if not any(callable(getattr(credential, name, None)) for name in ("get_token", "get_token_info")):
        raise SpecError(
            f"credential is a {type(credential).__name__}, which has no get_token",
            hint="use a credential of azure-identity; keys of the Batch account are not used",
        )


class SignInCredential:
    """An async credential for the clients of the SDKs, like those of azure-identity.

    Parameters
    ----------
    how
        How to sign in.
    cloud
        The cloud; None: the one that azure-identity finds in the environment.
    transport
        The transport of token requests, for the credentials that can use it.
    """

    def __init__(self, how: SignIn, cloud: Cloud | None, transport: AsyncHttpTransport[Any, Any]) -> None:
        self._how = how
        self._cloud = cloud
        self._transport = transport
        self._credential: Any = how.credential
        self._tokens: dict[tuple[Any, ...], AccessToken] = {}
        self._running: dict[tuple[Any, ...], asyncio.Task[AccessToken]] = {}
        self._lock = asyncio.Lock()
        self._identity: Identity | None = None

    @property
    def identity(self) -> Identity | None:
        """Who is signed in, according to the last token; None before the first one, and if the token does not tell."""
        return self._identity

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token for a scope.

        Parameters
        ----------
        *scopes
            The scope of the token: exactly one, as Entra ID requires.
        **options
            Options of azure-identity: ``claims``, ``tenant_id``, ``enable_cae``.

        Raises
        ------
        ClientAuthenticationError
            You are not signed in, or Entra ID rejected the request.
        """
        # All tokens support continuous access evaluation: azure-identity keeps those that do and those that do not
        # apart, and a person would have to sign in twice.
        options = {name: value for name, value in options.items() if value is not None} | {"enable_cae": True}
        claims = options.get("claims")
        if self._how.tenant:
            options.setdefault("tenant_id", self._how.tenant)
        key = (*scopes, options.get("tenant_id"))
        # One request at a time: several clients need their first token at the same moment, and a person signs in once.
        async with self._lock:
            token = self._tokens.get(key)
            if token is None or claims or token.expires_on - time.time() < _REFRESH_MARGIN_S:
                token = await self._request((*key, claims), scopes, options)
                self._tokens[key] = token
                self._identity = read_identity(token.token) or self._identity
            return token

    async def _request(self, key: tuple[Any, ...], scopes: tuple[str, ...], options: dict[str, Any]) -> AccessToken:
        """Request a token. A request whose caller was cancelled continues: a code that was shown stays valid."""
        if others := [task for one, task in self._running.items() if one != key]:
            await asyncio.wait(others)
        if (task := self._running.get(key)) is None:
            task = self._running[key] = asyncio.get_running_loop().create_task(self._ask(scopes, options))
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    def _forget(self, key: tuple[Any, ...], task: asyncio.Task[AccessToken]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # retrieved also if nobody waits any more

    async def _ask(self, scopes: tuple[str, ...], options: dict[str, Any]) -> AccessToken:
        if self._credential is None:
            self._credential = _open_credential(self._how, self._cloud, self._transport)
        method = getattr(self._credential, "get_token", None)
        if method is None:  # azure-core's other protocol
            method, options = self._credential.get_token_info, {"options": options}
        found = await _call(method, *scopes, **options)
        return AccessToken(found.token, found.expires_on)

    async def close(self) -> None:
        """Close connections, but not the transport or a credential of the caller."""
        if self._how.credential is None and self._credential is not None:
            closed = self._credential.close()
            if inspect.isawaitable(closed):
                await closed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


# -- the credentials of azure-identity ---------------------------------------------------------------------------


class _Opener(Protocol):
    def __call__(self, how: SignIn, options: dict[str, Any], transport: AsyncHttpTransport[Any, Any], /) -> object:
        """Return a credential."""


def _open_credential(how: SignIn, cloud: Cloud | None, transport: AsyncHttpTransport[Any, Any]) -> object:
    options: dict[str, Any] = {} if cloud is None else {"authority": cloud.authority}
    return _OPENERS[how.way](how, options, transport)


def _open_default(how: SignIn, options: dict[str, Any], transport: AsyncHttpTransport[Any, Any]) -> object:
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential(**_allowing_tenant(how), **options, transport=transport)


def _open_environment(how: SignIn, options: dict[str, Any], transport: AsyncHttpTransport[Any, Any]) -> object:
    from azure.identity.aio import EnvironmentCredential

    return EnvironmentCredential(**_allowing_tenant(how), **options, transport=transport)


def _open_cli(how: SignIn, _: dict[str, Any], __: AsyncHttpTransport[Any, Any]) -> object:
    from azure.identity.aio import AzureCliCredential

    return AzureCliCredential(tenant_id=how.tenant or "")


def _open_managed_identity(_: SignIn, __: dict[str, Any], transport: AsyncHttpTransport[Any, Any]) -> object:
    from azure.identity.aio import ManagedIdentityCredential

    # As with DefaultAzureCredential, the variable selects one of several identities of the machine.
    return ManagedIdentityCredential(client_id=os.environ.get("AZURE_CLIENT_ID"), transport=transport)


def _open_device_code(how: SignIn, options: dict[str, Any], _: AsyncHttpTransport[Any, Any]) -> object:
    from azure.identity import DeviceCodeCredential

    def show(url: str, code: str, expires: dt.datetime) -> None:
        if how.show is not None:
            how.show(SignInPrompt(url, code, expires))

    return DeviceCodeCredential(prompt_callback=show, **_interactive_options(how, options))


def _open_browser(how: SignIn, options: dict[str, Any], _: AsyncHttpTransport[Any, Any]) -> object:
    from azure.identity import InteractiveBrowserCredential

    return InteractiveBrowserCredential(**_interactive_options(how, options))


def _interactive_options(how: SignIn, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the credentials that a person signs in with. They are synchronous."""
    named = {"tenant_id": how.tenant} if how.tenant else {}
    authority = options.get("authority") or os.environ.get("AZURE_AUTHORITY_HOST", "")
    # An authority that Microsoft does not know cannot be validated with Microsoft.
    own = {"disable_instance_discovery": True} if _is_own(authority) else {}
    return {**options, **named, **own, **trust.requests_options()}


def _is_own(authority: str) -> bool:
    from azure.identity import AzureAuthorityHosts

    known = {value for name, value in vars(AzureAuthorityHosts).items() if name.isupper()}
    return bool(authority) and authority.removeprefix("https://").rstrip("/") not in known


def _allowing_tenant(how: SignIn) -> dict[str, Any]:
    """Return the option that allows tokens of another tenant than the credential's own."""
    return {"additionally_allowed_tenants": [how.tenant]} if how.tenant else {}


_OPENERS: dict[str | None, _Opener] = {
    None: _open_default,
    "device-code": _open_device_code,
    "browser": _open_browser,
    "cli": _open_cli,
    "managed-identity": _open_managed_identity,
    "environment": _open_environment,
}


# -- synchronous credentials -------------------------------------------------------------------------------------


async def _call(method: Callable[..., Any], *scopes: str, **options: Any) -> Any:  # noqa: ANN401 - azure-core has two types of tokens
    """Call an async credential here, and a synchronous one on a thread: it may wait for a person."""
    ask = partial(method, *scopes, **options)
    found = ask() if inspect.iscoroutinefunction(method) else await _in_thread(ask)
    return await found if inspect.isawaitable(found) else found


async def _in_thread(function: Callable[[], Any]) -> Any:  # noqa: ANN401 - as above
    """Run a function on a daemon thread, which does not keep the process alive as those of an executor do."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def finish(error: BaseException | None, result: Any) -> None:  # noqa: ANN401 - as above
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def work() -> None:
        error, result = None, None
        try:
            result = function()
        except BaseException as failure:  # noqa: BLE001 - it is raised again where the token is awaited
            error = failure
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, error, result)

    threading.Thread(target=work, name="batchimg sign-in", daemon=True).start()
    return await future
