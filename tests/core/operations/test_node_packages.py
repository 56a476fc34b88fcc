"""The list of packages that the start task of each node provides: the user's start task stays what it was."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchimg_magics.errors import NotFoundError, ResizeError
from batchimg_magics.pool_spec.package_task import SCRIPT_VARIABLE, add_package_list, user_command, without_package_list
from batchimg_magics.pool_spec.start_task import StartTask
from batchimg_magics.session.session import Session
from tests.support.connections import read_pool
from tests.support.prepared_vms import connect_to, new_state_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE: dict[str, Any] = {"vm_size": "Standard_D2s_v5", "canary": False}
lines = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip).filter(bool)


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as opened:
        opened.connect(state=":memory:", speed="max")
        yield opened


@given(lines, st.sampled_from(["Linux", "Windows"]))
def test_a_start_task_of_the_user_comes_back_as_it_was(line: str, os_type: str) -> None:
    task = StartTask(command_line=line, environment={"A": "1"})
    made = add_package_list(task, os_type, "echo")
    assert made is not None
    assert user_command(made.command_line) == line
    settings = [{"name": name, "value": value} for name, value in made.environment.items()]
    body = {"commandLine": made.command_line, "environmentSettings": settings}
    assert without_package_list(body) == {"commandLine": line, "environmentSettings": [{"name": "A", "value": "1"}]}


@given(st.lists(lines, min_size=1, max_size=4), st.integers(0, 255))
def test_on_linux_the_command_gets_its_words_and_its_exit_code_stays(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], code: int
) -> None:
    folder = tmp_path_factory.mktemp("wd")
    user = ["/bin/sh", "-c", f'printf "%s\\n" "$@"; exit {code}', "sh", *words]
    made = add_package_list(StartTask(command_line=shlex.join(user)), "Linux", "( echo list > list; exit 3 )")
    assert made is not None
    run = subprocess.run(
        shlex.split(made.command_line),
        cwd=folder,
        env={"PATH": os.environ["PATH"], SCRIPT_VARIABLE: made.environment[SCRIPT_VARIABLE]},
        capture_output=True,
        check=False,
    )
    assert (run.stdout.decode(), run.stderr, run.returncode) == ("".join(f"{one}\n" for one in words), b"", code)
    assert (folder / "list").read_text() == "list\n"


def test_on_windows_only_command_lines_of_cmd_are_combined() -> None:
    plain = StartTask(command_line="setup.exe /quiet")
    assert add_package_list(plain, "Windows", "x") == plain
    for line, made in (
        ("cmd /c setup.exe", "cmd /c {} & setup.exe"),
        ('cmd.exe /C "a && b"', 'cmd.exe /C "{} & a && b"'),
    ):
        combined = add_package_list(StartTask(command_line=line), "Windows", "x")
        assert combined is not None
        assert combined.command_line == made.format(
            f"powershell -NoProfile -NonInteractive -Command Invoke-Expression $env:{SCRIPT_VARIABLE}"
        )


def test_a_new_pool_tells_its_packages_and_a_script_sees_no_start_task(session: Session) -> None:
    made = session.create("p", from_vm="prep-vm", nodes=2, **LINE)
    known = made.attrs["packages"]
    found = session.images("p", packages=True)
    assert (found.attrs["sha256"], found.attrs["count"]) == (known["sha256"], known["count"])
    assert len(found) == known["count"] > 50
    assert "from the local store" in found.attrs["caption"]
    assert not session.show("p").property.str.startswith("start_task").any()
    assert session.logs("p").error.str.startswith("the pool has no start task").all()
    assert set(session.create("p", from_vm="prep-vm", nodes=2, **LINE).action) == {"exists"}


def test_nodes_of_a_copied_image_have_the_list_that_was_made_on_the_copy(session: Session) -> None:
    made = session.create("p", from_vm="desk-vm", stop=True, nodes=1, **LINE)
    (version,) = session.images().query("kind == 'version'")["id"]
    document = session.call(lambda azure: azure.get(f"{version}?api-version=2026-03-03")).json()
    known = made.attrs["packages"]
    assert document["tags"]["batchimg-packages"] == f"{known['count']}:{known['sha256']}"
    assert {"dpkg", "pip"} <= set(session.images("p", packages=True).manager)


def test_nodes_of_windows_make_their_list(session: Session) -> None:
    session.create("p", from_vm="win-vm", nodes=1, start_task='cmd /c "setup.exe /quiet"', **LINE)
    assert set(session.images("p", packages=True).manager) == {"os", "pip", "windows"}


def test_without_packages_the_nodes_have_no_list(session: Session) -> None:
    made = session.create("p", from_vm="prep-vm", nodes=1, packages=False, **LINE)
    assert "packages" not in made.attrs
    assert "startTask" not in read_pool(session, "p")["properties"]
    with pytest.raises(NotFoundError, match=r"packages of image p/1\.0\.0 are not known: .* has no file"):
        session.images("p", packages=True)
    # Lists are no difference: pools that have one need not be created again.
    assert set(session.create("p", from_vm="prep-vm", nodes=1, **LINE).action) == {"exists"}


def test_a_start_task_that_fails_fails_as_before(session: Session) -> None:
    line = "/bin/bash -c 'echo hello; exit 3'"
    with pytest.raises(ResizeError, match=r"node \w+_d exit code 3; stdout: hello"):
        session.create("p", from_vm="prep-vm", nodes=1, start_task=line, **{**LINE, "canary": True})
    (node,) = session.nodes("p").itertuples()
    assert (node.state, node.exit_code) == ("starttaskfailed", 3)
    shown = session.show("p").set_index("property").value
    assert shown["start_task"] == line
    assert "start_task_environment" not in shown or SCRIPT_VARIABLE not in str(shown["start_task_environment"])


def test_every_node_proves_the_list(session: Session) -> None:
    session.create("p", from_vm="prep-vm", nodes=4, **LINE)
    found = session.images("p", packages=True, verify_nodes=True)
    assert list(found.result) == ["ok"] * 4
    assert set(found.sha256) == {session.images("p", packages=True).attrs["sha256"]}


def test_the_description_of_a_pool_keeps_the_choice(tmp_path: Path) -> None:
    client = new_state_file(tmp_path)
    with Session() as session:
        connect_to(session, client)
        session.create("with", from_vm="prep-vm", nodes=0, start_task="/bin/true", **LINE)
        session.create("without", from_vm="prep-vm", nodes=0, packages=False, **LINE)
        for name in ("with", "without"):
            session.lock(name, str(tmp_path / f"{name}.toml"))
    with_list, without = ((tmp_path / f"{name}.toml").read_text() for name in ("with", "without"))
    assert SCRIPT_VARIABLE not in with_list
    assert 'command_line = "/bin/true"' in with_list
    assert "packages = false" in without
    assert "packages = false" not in with_list
