"""Secrets: the environment variable that holds one is named, and nobody writes the secret itself down.

A `Secret` is only a name, so a spec, its hash, a table, a resume line or an error never holds more than that. What it
stands for is put in where a request is sent (`revealed`), and taken out of what the service answers (`hidden`).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from pydantic import PlainValidator

from batchimg_magics.errors import SpecError

__all__ = ["EnvironmentValue", "Secret", "SecretReference", "UrlOrSecret", "mask_secrets", "reveal_secrets"]

_REFERENCE = re.compile(r"env:([A-Za-z_]\w*)")
_HINT = "put it into an environment variable and write env:NAME here"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by the name of the environment variable that holds it.

    Parameters
    ----------
    variable
        The environment variable.
    """

    variable: str

    def __str__(self) -> str:
        return f"env:{self.variable}"

    def reveal(self) -> str:
        """Return what it stands for.

        Raises
        ------
        SpecError
            The environment has no such variable, or an empty one.
        """
        value = os.environ.get(self.variable, "")
        if not value:
            raise SpecError(
                f"the environment has no variable {self.variable}",
                hint=f"in a notebook: import os, getpass; os.environ[{self.variable!r}] = getpass.getpass()",
            )
        return value


def _parse_reference(value: object) -> Secret | None:
    """Return the secret that a value refers to, known to be there; None where it refers to none."""
    if isinstance(value, Secret):
        return value
    match = _REFERENCE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    secret = Secret(match[1])
    secret.reveal()
    return secret


def _parse_secret(value: object) -> Secret:
    secret = _parse_reference(value)
    if secret is None:
        raise SpecError("a secret does not stand in clear text", hint=_HINT)
    return secret


def _parse_environment_value(value: object) -> str | Secret:
    if (secret := _parse_reference(value)) is not None:
        return secret
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise SpecError("the value of a variable is a text", hint='in quotes if need be, as "true"')
    return str(value)


def _parse_url(value: object) -> str | Secret:
    if (secret := _parse_reference(value)) is not None:
        return secret
    if not isinstance(value, str) or not urlsplit(value).scheme:
        raise SpecError("an address is missing", hint="it reads https://...")
    # A shared access signature (SAS) opens what it is for to whoever has it. Source: Azure Storage, parameter `sig`.
    if "sig" in parse_qs(urlsplit(value).query):
        raise SpecError("the address has a SAS token in it, which is a secret", hint=f"the whole address: {_HINT}")
    return value


#: ``env:NAME`` and nothing else.
SecretReference = Annotated[Secret, PlainValidator(_parse_secret)]
#: Text, or ``env:NAME``.
EnvironmentValue = Annotated[str | Secret, PlainValidator(_parse_environment_value)]
#: An address without a SAS token, or ``env:NAME``.
UrlOrSecret = Annotated[str | Secret, PlainValidator(_parse_url)]


def reveal_secrets(body: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a body with what its secrets stand for, to be sent and not kept."""
    if isinstance(body, Secret):
        return body.reveal()
    if isinstance(body, dict):
        return {name: reveal_secrets(value) for name, value in body.items()}
    return [reveal_secrets(one) for one in body] if isinstance(body, list) else body


def mask_secrets(text: str, body: Any) -> str:  # noqa: ANN401 - JSON
    """Return a text with the references of a body's secrets in place of what they stand for."""
    for secret in sorted(_find_secrets(body), key=lambda one: -len(one.reveal())):
        text = text.replace(secret.reveal(), str(secret))
    return text


def _find_secrets(body: Any) -> set[Secret]:  # noqa: ANN401 - JSON
    if isinstance(body, Secret):
        return {body}
    inside = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    return {secret for one in inside for secret in _find_secrets(one)}
