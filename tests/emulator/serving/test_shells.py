"""The lines for shells: pasted, they set each variable to its value, whatever is in it."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.emulator.serving import shells

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VALUES = {
    "PLAIN": "https://localhost:8443",
    "SPACES": "/a folder/with  spaces ",
    "QUOTES": """it's "quoted" \u2019and\u2018 `x` ''""",
    "SIGNS": r"$HOME %PATH% $(id) \ \' \\ ; & | # * ~ !",
    "LINES": "one\ntwo",
}


def lines(shell: str, existing: Mapping[str, str] | None = None, host: str = "localhost") -> str:
    """Return the printed text without the lines for the Azure CLI."""
    text = shells.introduction(shell, "The emulator (a\nfile)", VALUES, host, existing or {})
    return text.partition("# The Azure CLI")[0]


def read_bash(text: str, **existing: str) -> dict[str, str]:
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", f"{text}\nexec /usr/bin/env -0"],
        env={"PATH": "/usr/bin:/bin", **existing},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)


def read_fish(text: str) -> dict[str, str]:
    """Read as fish does: between single quotes, a backslash escapes a quote and itself."""
    found = re.findall(r"^set -gx (\w+) '((?:[^'\\]|\\.)*)'$", text, re.MULTILINE | re.DOTALL)
    return {name: re.sub(r"\\([\\'])", r"\1", value) for name, value in found}


def read_powershell(text: str) -> dict[str, str]:
    """Read as PowerShell does: between single quotes, any two single quotes are one."""
    quotes = "'\u2018\u2019\u201a\u201b"
    quote = f"[{quotes}]"
    found = re.findall(rf"^\$env:(\w+) = '((?:[^{quotes}]|{quote}{quote})*)'$", text, re.MULTILINE)
    return {name: re.sub(rf"({quote}){quote}", r"\1", value) for name, value in found}


def read_json(text: str) -> dict[str, str]:
    assert text.count("\n") == 1
    return dict(json.loads(text))


@pytest.mark.parametrize(
    ("shell", "read"),
    [("bash", read_bash), ("fish", read_fish), ("powershell", read_powershell), ("json", read_json)],
)
def test_values_are_kept_whatever_is_in_them(shell: str, read: Callable[[str], dict[str, str]]) -> None:
    assert VALUES.items() <= read(lines(shell)).items()


def test_no_line_is_outside_of_the_comment() -> None:
    assert [line for line in lines("bash").splitlines() if line.startswith("#")] == ["# The emulator (a file)"]


@pytest.mark.parametrize(
    ("existing", "kept"),
    [({}, ""), ({"NO_PROXY": "corp"}, "corp,"), ({"no_proxy": "corp"}, "corp,"), ({"NO_PROXY": ""}, "")],
)
def test_hosts_without_a_proxy_are_kept_and_extended(existing: dict[str, str], kept: str) -> None:
    expected = f"{kept}localhost,127.0.0.1,::1,127.0.0.2"
    for found in (
        read_bash(lines("bash", host="127.0.0.2"), **existing),
        read_json(lines("json", existing, host="127.0.0.2")),
    ):
        assert found["NO_PROXY"] == found["no_proxy"] == expected
    for shell in ("fish", "powershell"):
        assert re.search(r"NO_PROXY.*localhost[ ,]127.0.0.1[ ,]::1[ ,]127.0.0.2", lines(shell, host="127.0.0.2"))


@pytest.mark.parametrize(
    ("environment", "system", "shell"),
    [
        ({"SHELL": "/bin/bash"}, "posix", "bash"),
        ({"SHELL": "/bin/zsh"}, "posix", "bash"),
        ({"SHELL": "/usr/local/bin/fish"}, "posix", "fish"),
        ({"SHELL": "/usr/bin/pwsh"}, "posix", "powershell"),
        ({}, "posix", "bash"),
        ({}, "nt", "powershell"),
        ({"SHELL": "/usr/bin/bash"}, "nt", "bash"),
    ],
)
def test_shell_of_the_user_is_the_default(environment: dict[str, str], system: str, shell: str) -> None:
    assert shells.default_shell(environment, system) == shell


def test_lines_for_the_azure_cli_are_in_the_language_of_the_shell() -> None:
    last = {
        name: shells.introduction(name, "", {}, "h", {}).splitlines()[-1] for name in ("bash", "fish", "powershell")
    }
    assert last["bash"].startswith("az cloud set --name BatchimgLocal && az login")
    assert last["fish"].startswith("az cloud set --name BatchimgLocal; and az login")
    assert "-p $env:AZURE_CLIENT_SECRET" in last["powershell"]
