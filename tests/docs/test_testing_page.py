"""The page on tests with the emulator, and the Dockerfile: commands, options, files and data formats exist."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from batchimg_magics.emulator import open_emulator, server
from batchimg_magics.emulator.serving import hosts
from tests.support.paths import ROOT
from tests.support.served_emulator import serve_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = ("docs/testing.md", "docs/clients.md", "docs/emulator.md")
PROJECT: Any = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def blocks(language: str) -> list[str]:
    pages = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES]
    return [one for page in pages for one in re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)]


def commands(*names: str) -> Iterator[list[str]]:
    """Yield the words of every documented command with these first words, also in YAML."""
    text = "\n".join([*blocks("sh"), *blocks("yaml"), *blocks("")]).replace("\\\n", " ")
    for line in re.findall(rf"^\s*(?:- run: )?({' '.join(names)}\b.*)$", text, re.MULTILINE):
        yield [word for word in shlex.split(line, comments=True) if word not in (">", "&")]


def parse(words: list[str]) -> Any:
    """Parse the options of `batchimg emulator`."""
    if words[:1] == [server.EXEC]:
        at = words.index("--")
        assert words[at + 1 :]
        return server.make_exec_parser().parse_args(words[1:at])
    return server.make_parser().parse_args([word for word in words if not word.endswith(".json")])


def test_documented_commands_have_valid_options() -> None:
    found = [parse(words[2:]) for words in commands("batchimg", "emulator")]
    assert len(found) >= 8


def test_documented_python_example_works() -> None:
    (example,) = re.findall(
        r"^```py\n(.*?)^```", (ROOT / "docs/clients.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    local = open_emulator(":memory:", speed=60.0)
    with contextlib.closing(local), serve_emulator(local) as environment:
        words = [sys.executable, "-c", example]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["['desk-vm', 'gen1-vm', 'prep-vm', 'win-vm']", "[]"], done.stderr


def test_container_listens_where_docker_leads_to() -> None:
    (entry,) = re.findall(r"^ENTRYPOINT (\[.*\])$", DOCKERFILE, re.MULTILINE)
    program, command, *options = json.loads(entry)
    assert program in PROJECT["project"]["scripts"]
    assert command == "emulator"
    asked = parse(options)
    assert asked.host == hosts.ANY_ADDRESS
    assert re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE) == [str(asked.port)]
    (folder,) = re.findall(r"install --directory --owner=emulator (\S+)", DOCKERFILE)
    assert str(asked.certificates) == folder


def test_container_has_what_is_copied_and_installed() -> None:
    copied = [word for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]]
    assert all((ROOT / word).exists() for word in copied)
    assert {
        PROJECT["project"]["readme"],
        "pyproject.toml",
        *PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"],
    } == {*copied}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == {*copied}
    (extra,) = re.findall(r"/source\[(\w+)\]", DOCKERFILE)
    assert extra in PROJECT["project"]["optional-dependencies"]
    (version,) = re.findall(r"^FROM python:([\d.]+)-slim$", DOCKERFILE, re.MULTILINE)
    assert f"Programming Language :: Python :: {version}" in PROJECT["project"]["classifiers"]


def test_ports_are_published_on_loopback_only() -> None:
    published = [
        words[at + 1] for words in commands("docker", "run") for at, word in enumerate(words) if word == "--publish"
    ]
    assert published
    assert all(one.startswith("127.0.0.1:") for one in published)
    for words in commands("docker", "run"):
        parse(["--container", *words[words.index("batchimg-emulator") + 1 :]])


def test_an_address_and_a_container_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(["--container", "--host", "127.0.0.2"])
    assert "not allowed with" in capsys.readouterr().err


def test_workflows_are_yaml_with_steps() -> None:
    for block in blocks("yaml"):
        found = yaml.safe_load(block)
        steps = found["jobs"]["test"]["steps"] if "jobs" in found else found["steps"]
        assert all({"run", "uses"} & step.keys() for step in steps)
