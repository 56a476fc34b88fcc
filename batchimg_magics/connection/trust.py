"""The certificate authorities to trust, from the environment, and the transport of all requests to Azure.

`REQUESTS_CA_BUNDLE` is the variable of the Azure CLI and of `requests`, which azure-identity uses in part. aiohttp,
which the SDKs' async clients use, knows `SSL_CERT_FILE` only: so each of them would read another one. Proxies
(`HTTPS_PROXY`, `NO_PROXY`) are read by both.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import AioHttpTransport

from batchimg_magics.core.azure.sign_in_errors import connection_hint
from batchimg_magics.errors import ServiceError, SpecError

__all__ = ["EnvironmentTransport", "requests_options"]

#: With this header, the emulator tells its failure scenario wherever it answers with a Batch account.
SCENARIO_HEADER = "x-ms-emulator-scenario"
#: With this header, it tells how many seconds of its time pass in a second.
SPEED_HEADER = "x-ms-emulator-speed"
#: In this order, as `requests` has them; then OpenSSL's own variable.
_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def _bundle() -> Path | None:
    """Return the file or folder with the certificate authorities that the environment names.

    Raises
    ------
    SpecError
        It does not exist.
    """
    for name in _VARIABLES:
        if text := os.environ.get(name):
            path = Path(text).expanduser()
            if not path.exists():
                raise SpecError(
                    f"{name} names {text}, which does not exist",
                    hint="correct the variable: a file with the certificates of the authorities to trust, as PEM",
                )
            return path
    return None


def _context() -> ssl.SSLContext | None:
    """Return the settings of TLS for the environment; None: the default ones."""
    path = _bundle()
    if path is None:
        return None
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=str(path))
        return ssl.create_default_context(cafile=str(path))
    except OSError as error:  # of TLS, too
        raise SpecError(
            f"{path} has no certificates: {error}", hint="REQUESTS_CA_BUNDLE names a file with certificates as PEM"
        ) from error


def _read_speed(text: str | None) -> float | None:
    """Return the number in a header; None: it has none above 0."""
    try:
        speed = float(text or 0)
    except ValueError:
        return None
    return speed if 0 < speed < float("inf") else None


def requests_options() -> dict[str, Any]:
    """Return the options of a synchronous credential of azure-identity, so that it trusts the same authorities."""
    path = _bundle()
    return {} if path is None else {"connection_verify": str(path)}


class EnvironmentTransport(AioHttpTransport):  # type: ignore[misc] # upstream loads the class lazily, untyped
    """The transport of the SDKs, with the certificate authorities and the proxies that the environment names.

    Raises
    ------
    SpecError
        The environment names certificate authorities that cannot be read.
    """

    def __init__(self) -> None:
        super().__init__()
        self._tls = _context()
        self._was_opened = False
        self._scenario = ""
        self._speed = 1.0

    def told_scenario(self) -> str:
        """Return the failure scenario that an emulator told with the account; empty: none, or it is not an emulator."""
        return self._scenario

    def told_speed(self) -> float:
        """Return how many seconds of the service's time pass in a second, as an emulator told; on Azure it is one."""
        return self._speed

    async def open(self) -> None:
        """Open the session; its connections share one context of TLS, so that they are used again."""
        if self._tls is not None and not self._was_opened:
            self._was_opened = True
            self.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls),
                trust_env=True,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        await super().open()

    async def sleep(self, duration: float) -> None:
        """Wait for so many seconds of the service's time."""
        await super().sleep(duration / self._speed)

    async def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - azure-core has two kinds of both
        """Send a request. A certificate that is not trusted is told at once: retries would not help.

        Raises
        ------
        ServiceError
            The certificate of the host, or of a proxy before it, is not trusted.
        """
        try:
            response = await super().send(request, **options)
            self._scenario = response.headers.get(SCENARIO_HEADER, self._scenario)
            self._speed = _read_speed(response.headers.get(SPEED_HEADER)) or self._speed
        except ServiceRequestError as error:
            if not isinstance(error.inner_exception, aiohttp.ClientSSLError):
                raise
            host = urlsplit(request.url).hostname
            raise ServiceError(
                f"the certificate of {host} is not trusted: {error}", hint=connection_hint("CERTIFICATE_VERIFY_FAILED")
            ) from error
        return response
