"""The lines that set the environment variables and sign in the Azure CLI, in the language of a shell."""

from __future__ import annotations

import json
import os
import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from batchimg_magics.emulator.serving.environment import CLOUD, DIRECT_HOSTS, NO_PROXY_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SIGN_IN = "az login --service-principal -u $AZURE_CLIENT_ID -p $AZURE_CLIENT_SECRET --tenant $AZURE_TENANT_ID"
#: PowerShell takes each of these for a single quote.
_POWERSHELL_QUOTES = re.compile("(['\u2018\u2019\u201a\u201b])")


def default_shell(environment: Mapping[str, str] = os.environ, system: str = os.name) -> str:
    """Return the name of the user's shell; ``bash`` stands for every shell with the syntax of sh."""
    if system == "nt" and not environment.get("SHELL"):
        return "powershell"
    name = PurePath(environment.get("SHELL", "")).name
    return {"fish": "fish", "pwsh": "powershell"}.get(name, "bash")


def introduction(
    shell: str, heading: str, variables: Mapping[str, str], host: str, existing: Mapping[str, str] = os.environ
) -> str:
    """Return the text that a user pastes into a shell, or that a program reads.

    Parameters
    ----------
    shell
        One of `SHELLS`.
    heading
        What the emulator says about itself: a comment.
    variables
        The variables to set, except `NO_PROXY`.
    host
        Of the server: no proxy may be used for it.
    existing
        JSON: the environment whose `NO_PROXY` is extended; a shell extends its own.
    """
    heading = " ".join(heading.splitlines())  # a file name with a line break must not end the comment
    direct = list(dict.fromkeys([*DIRECT_HOSTS, host.strip("[]")]))
    if shell == "json":
        return _json(variables, direct, existing)
    return _LINES[shell](heading, variables, direct)


def _bash(heading: str, variables: Mapping[str, str], direct: list[str]) -> str:
    return _lines(
        f"# {heading}",
        *(f"export {name}={_quote_bash(value)}" for name, value in variables.items()),
        'export NO_PROXY="${NO_PROXY:-${no_proxy:-}}"',
        f'export NO_PROXY="${{NO_PROXY:+$NO_PROXY,}}{",".join(direct)}"',
        'export no_proxy="$NO_PROXY"',
        "# The Azure CLI, with a separate configuration directory:",
        "export AZURE_CONFIG_DIR=$(mktemp -d)",
        f"az cloud set --name {CLOUD} && {_SIGN_IN}",
    )


def _fish(heading: str, variables: Mapping[str, str], direct: list[str]) -> str:
    return _lines(
        f"# {heading}",
        *(f"set -gx {name} {_quote_fish(value)}" for name, value in variables.items()),
        "set -q NO_PROXY; or set -gx NO_PROXY $no_proxy",
        f"set -gx NO_PROXY (string join , -- $NO_PROXY {' '.join(direct)})",
        "set -gx no_proxy $NO_PROXY",
        "# The Azure CLI, with a separate configuration directory:",
        "set -gx AZURE_CONFIG_DIR (mktemp -d)",
        f"az cloud set --name {CLOUD}; and {_SIGN_IN}",
    )


def _powershell(heading: str, variables: Mapping[str, str], direct: list[str]) -> str:
    folder = "Join-Path ([IO.Path]::GetTempPath()) ([guid]::NewGuid())"
    hosts = ",".join(direct)
    words = re.sub(r"\$(AZURE\w+)", r"$env:\1", _SIGN_IN)
    return _lines(
        f"# {heading}",
        *(f"$env:{name} = {_quote_powershell(value)}" for name, value in variables.items()),
        "if (-not $env:NO_PROXY) { $env:NO_PROXY = $env:no_proxy }",
        f'$env:NO_PROXY = if ($env:NO_PROXY) {{ "$env:NO_PROXY,{hosts}" }} else {{ "{hosts}" }}',
        "$env:no_proxy = $env:NO_PROXY",
        "# The Azure CLI, with a separate configuration directory:",
        f"$env:AZURE_CONFIG_DIR = (New-Item -ItemType Directory -Path ({folder})).FullName",
        f"az cloud set --name {CLOUD}; if ($?) {{ {words} }}",
    )


def _json(variables: Mapping[str, str], direct: list[str], existing: Mapping[str, str]) -> str:
    """Return one line, so that a program can read it while the server runs."""
    kept = next((existing[name] for name in NO_PROXY_VARIABLES if existing.get(name)), "")
    hosts = ",".join([kept, *direct] if kept else direct)
    return _lines(json.dumps({**variables, **dict.fromkeys(NO_PROXY_VARIABLES, hosts)}))


_LINES: dict[str, Callable[[str, Mapping[str, str], list[str]], str]] = {
    "bash": _bash,
    "fish": _fish,
    "powershell": _powershell,
}
SHELLS = (*_LINES, "json")


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def _quote_bash(text: str) -> str:
    """Quote a text as one word for sh, bash and zsh."""
    return "'" + text.replace("'", "'\\''") + "'"


def _quote_fish(text: str) -> str:
    """Quote a text as one word for fish, which has escapes between single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quote_powershell(text: str) -> str:
    """Quote a text as one word for PowerShell."""
    return "'" + _POWERSHELL_QUOTES.sub(r"\1\1", text) + "'"
