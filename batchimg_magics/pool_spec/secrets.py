"""Secrets: a spec contains the name of an environment variable, never the secret itself.

A `Secret` is only that name, so that no spec, hash, table, command or error contains a secret value. `reveal_secrets`
inserts the values into a request that is sent, and `mask_secrets` removes them from responses of the service.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from pydantic import PlainValidator

from batchimg_magics.errors import SpecError

__all__ = [
    "REFERENCE",
    "EnvironmentValue",
    "Secret",
    "SecretReference",
    "UrlOrSecret",
    "mask_secrets",
    "reveal_secrets",
]

#: The text of a secret: the name of its variable.
REFERENCE = re.compile(r"env:([A-Za-z_]\w*)")
_HINT = "store it in an environment variable and write env:NAME here"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret, by the name of the environment variable that contains it.

    Parameters
    ----------
    variable
        The environment variable.
    """

    variable: str

    def __str__(self) -> str:
        return f"env:{self.variable}"

    def reveal(self) -> str:
        """Return the secret value.

        Raises
        ------
        SpecError
            The environment variable is not set, or empty.
        """
        value = os.environ.get(self.variable, "")
        if not value:
            raise SpecError(
                f"environment variable {self.variable} is not set",
                hint=f"set it, for example: import os, getpass; os.environ[{self.variable!r}] = getpass.getpass()",
            )
        return value


def _parse_reference(value: object) -> Secret | None:
    """Return the secret that a value refers to, after checking that it is set; None if the value is no reference."""
    if isinstance(value, Secret):
        return value
    match = REFERENCE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    secret = Secret(match[1])
    secret.reveal()
    return secret


def _parse_secret(value: object) -> Secret:
    secret = _parse_reference(value)
    if secret is None:
        raise SpecError("a secret must not be in clear text", hint=_HINT)
    return secret


def _parse_environment_value(value: object) -> str | Secret:
    if (secret := _parse_reference(value)) is not None:
        return secret
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise SpecError(
            "the value of an environment variable must be text", hint='quote it if necessary, for example "true"'
        )
    return str(value)


def _parse_url(value: object) -> str | Secret:
    if (secret := _parse_reference(value)) is not None:
        return secret
    if not isinstance(value, str) or not urlsplit(value).scheme:
        raise SpecError("the value is not a URL", hint="expected https://...")
    # Whoever has a shared access signature (SAS) has access. Source: Azure Storage, query parameter `sig`.
    if "sig" in parse_qs(urlsplit(value).query):
        raise SpecError("the URL contains a SAS token, which is a secret", hint=f"for the complete URL: {_HINT}")
    return value


#: ``env:NAME`` and nothing else.
SecretReference = Annotated[Secret, PlainValidator(_parse_secret)]
#: Text, or ``env:NAME``.
EnvironmentValue = Annotated[str | Secret, PlainValidator(_parse_environment_value)]
#: A URL without a SAS token, or ``env:NAME``.
UrlOrSecret = Annotated[str | Secret, PlainValidator(_parse_url)]


def reveal_secrets(body: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a request body with the values of its secrets, to be sent but not stored."""
    if isinstance(body, Secret):
        return body.reveal()
    if isinstance(body, dict):
        return {name: reveal_secrets(value) for name, value in body.items()}
    return [reveal_secrets(one) for one in body] if isinstance(body, list) else body


def mask_secrets(text: str, body: Any) -> str:  # noqa: ANN401 - JSON
    """Return a text with the values of a body's secrets replaced by their references."""
    for secret in sorted(_find_secrets(body), key=lambda one: -len(one.reveal())):
        text = text.replace(secret.reveal(), str(secret))
    return text


def _find_secrets(body: Any) -> set[Secret]:  # noqa: ANN401 - JSON
    if isinstance(body, Secret):
        return {body}
    inside = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    return {secret for one in inside for secret in _find_secrets(one)}
