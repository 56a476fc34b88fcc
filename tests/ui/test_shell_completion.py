"""Completion in shells: what the hidden command answers, and the scripts in the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from batchimg_magics.ui.cli import main

BIN = Path(sys.executable).parent


def answers(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    capsys.readouterr()
    assert main(["__complete", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_words_of_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert answers(capsys, "bash", "batchimg resi") == ["resize"]
    assert answers(capsys, "bash", "batchimg comp") == ["completion"]
    assert answers(capsys, "bash", "batchimg completion ") == ["bash", "zsh", "fish"]
    assert answers(capsys, "bash", "batchimg wait g --until=st") == ["steady"]
    assert answers(capsys, "zsh", "wait", "g", "--until=st") == ["--until=steady:value"]
    assert answers(capsys, "fish", "connect", "--scenario", "quo")[0].startswith("quota\t")
    assert answers(capsys, "bash", "batchimg vms -o ") == ["table", "json", "tsv"]
    assert answers(capsys, "bash", "batchimg -o json wait g --until ") == ["ready", "steady"]
    assert answers(capsys, "bash", "batchimg vms --pro") == ["--profile"]
    assert {"--output", "--json", "--nodes"} <= set(answers(capsys, "bash", "batchimg resize g -"))
    assert answers(capsys, "bash", "batchimg packer x --output ") == []  # files are the shell's
    assert answers(capsys, "bash", "batchimg nosuch ") == []
    assert answers(capsys) == answers(capsys, "bash")


def test_names_are_those_that_were_shown_last(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHIMG_STATE", str(tmp_path / "state.db"))
    assert answers(capsys, "bash", "batchimg create g --from-vm pr") == []
    main(["vms"])
    assert answers(capsys, "bash", "batchimg create g --from-vm pr") == ["prep-vm"]
    assert answers(capsys, "bash", "batchimg check pr") == ["prep-vm"]
    monkeypatch.setenv("BATCHIMG_STATE", str(tmp_path / "other.db"))
    assert answers(capsys, "bash", "batchimg create g --from-vm pr") == []


def test_an_answer_imports_nothing_of_azure() -> None:
    script = (
        "import sys; from batchimg_magics.ui.cli import main; main(['__complete', 'bash', 'batchimg create g --']);"
        "print([m for m in ('azure', 'pydantic', 'pandas', 'yaml', 'msgspec') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "--from-vm" in done.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"batchimg __complete {shell}" in script
    if found := shutil.which(shell):
        subprocess.run([found, "-n"], input=script, text=True, check=True)


def test_bash_completes() -> None:
    script = (
        'source <(batchimg completion bash); COMP_LINE="batchimg wait g --until st"; COMP_POINT=${#COMP_LINE};'
        'complete -p batchimg; _batchimg; echo "${COMPREPLY[@]}"'
    )
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        [shutil.which("bash") or "/bin/bash", "-c", script], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout.splitlines()[-1] == "steady"
    assert "-F _batchimg batchimg" in done.stdout


def test_a_shell_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "csh"]) == 2
    assert "usage: batchimg completion bash|zsh|fish" in capsys.readouterr().err
    assert main(["completion"]) == 2
    assert main(["completion", "-h"]) == 0
    assert main(["complete"]) == 2
    assert "did you mean completion?" in capsys.readouterr().err
