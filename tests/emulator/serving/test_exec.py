"""`batchimg emulator exec`: a program with Azure's host names built in works with the emulator, and only with it."""

from __future__ import annotations

import json
import signal
import socket
import sys
from pathlib import Path

import pytest

from batchimg_magics.emulator import open_emulator, server
from batchimg_magics.session.session import Session

pytest.importorskip("uvicorn", reason="the extra 'server' is not installed")
#: A program with the standard library only: it asks for URLs, and prints statuses and bodies.
ASK = """
import json, os, sys, urllib.error, urllib.request
answers = []
headers = {"Metadata": "true", "X-Control-Token": os.environ.get("BATCHIMG_CONTROL_TOKEN", "")}
for url in sys.argv[1:]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            answers.append([answer.status, answer.read().decode()])
    except urllib.error.HTTPError as error:
        answers.append([error.code, error.read().decode()])
    except urllib.error.URLError as error:
        answers.append([0, str(error.reason)])
print(json.dumps(answers))
"""
METADATA = "https://management.azure.com/metadata/endpoints?api-version=2022-09-01"
IDENTITY = "http://169.254.169.254/metadata/identity/oauth2/token?resource=https://management.azure.com/"
ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


def run(tmp_path: Path, *program: str, options: tuple[str, ...] = ()) -> int:
    """Run a Python program with the emulator, in this process."""
    words = [*options, "--certificates", str(tmp_path / "tls"), "--", sys.executable, "-I", "-c", *program]
    return server.main(["exec", *words])


def test_program_reaches_azure_by_its_names_and_nobody_else(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    batch = "https://lab.westeurope.batch.azure.com/pools?api-version=2025-06-01"
    others = [
        "https://example.org/",
        "http://example.org/x",
        "http://management.azure.com/",
        "https://management.chinacloudapi.cn/",
    ]
    assert run(tmp_path, ASK, METADATA, IDENTITY, batch, *others) == 0
    said = capfd.readouterr()
    metadata, identity, pools, *refused = json.loads(said.out)  # the output is the program's alone
    assert json.loads(metadata[1])["authentication"]["loginEndpoint"] == "https://login.microsoftonline.com"
    assert json.loads(identity[1])["token_type"] == "Bearer"  # noqa: S105 - a kind of token
    assert pools[0] == 401
    assert [status for status, _ in refused] == [0, 403, 403, 0]
    assert "403 example.org is not served by the emulator; --allow-internet allows other hosts" in refused[0][1]
    assert refused[1][1] == "example.org is not served by the emulator; --allow-internet allows other hosts\n"
    assert "TLS only" in refused[2][1]
    assert "public cloud" in refused[3][1]
    assert said.err.count("example.org") == 1


def test_program_gets_its_environment_whatever_the_user_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "NO_PROXY": ".azure.com,169.254.169.254", "no_proxy": "*", "ALL_PROXY": "http://corporate.example:1",
        "AZURE_CLIENT_SECRET": "mine", "ARM_CLIENT_SECRET": "mine", "IDENTITY_ENDPOINT": "http://real", "KEPT": "yes",
        "AZURE_CONFIG_DIR": str(tmp_path),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert run(tmp_path, ENVIRONMENT) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["NO_PROXY"] == found["no_proxy"] == "localhost,127.0.0.1,::1"
    assert found["HTTPS_PROXY"] == found["https_proxy"] == found["HTTP_PROXY"] == found["http_proxy"]
    assert found["HTTPS_PROXY"].startswith("http://127.0.0.1:")
    assert found["KEPT"] == "yes"
    assert "mine" not in found.values()
    assert not {"ALL_PROXY", "IDENTITY_ENDPOINT"} & found.keys()
    assert found["AZURE_BATCH_ENDPOINT"] == "https://genomicsbatch.eastus.batch.azure.com"
    assert found["AZURE_CONFIG_DIR"] != str(tmp_path)


def test_state_of_notebooks_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BATCHIMG_STATE")
    with Session() as notebook:
        notebook.connect(speed=60, scenario="quota")
        assert run(tmp_path, ASK, "https://management.azure.com/_sim/faults", options=("--control",)) == 0
    (answer,) = json.loads(capfd.readouterr().out)
    assert json.loads(answer[1])["scenario"] == "quota"


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("raise SystemExit(7)", 7),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
        # A signal to `batchimg` reaches the program, which ends in its own way.
        (
            """import os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(9))
os.kill(os.getppid(), signal.SIGTERM)
signal.pause()""",
            9,
        ),
    ],
)
def test_exit_status_is_that_of_the_program(tmp_path: Path, program: str, status: int) -> None:
    assert run(tmp_path, program) == status


def test_signal_that_is_ignored_is_ignored_by_the_program(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup batchimg emulator exec ...
    try:
        assert run(tmp_path, "import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)") == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert capfd.readouterr().out == "True\n"


def test_program_that_is_not_there_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    home = ["--certificates", str(tmp_path / "tls")]
    assert server.main(["exec", *home, "--", "no-such-program"]) == 127
    assert "no-such-program" in capsys.readouterr().err
    assert server.main(["exec", *home, "--", str(tmp_path / "text")]) == 126
    assert "Exec format error" in capsys.readouterr().err


def test_state_that_another_process_has_locked_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "shared.db"
    monkeypatch.setenv("BATCHIMG_STATE", str(state))
    monkeypatch.setattr("batchimg_magics.emulator.world.database.OPEN_TIMEOUT_S", 0.01)
    other = open_emulator(state)  # at --speed max
    assert run(tmp_path, "") == 1
    other.close()
    reason, hint = capsys.readouterr().err.splitlines()
    assert reason == (
        f"batchimg emulator: another process has locked the emulator state {state}, because it runs at --speed max"
    )
    assert hint == "  -> close it there, or use another emulator state: --state FILE, or --state :memory:"


def test_program_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        server.main(["exec", "--speed", "5"])
    assert "specify the program after --" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        server.main(["exec", "python", "-c", "1"])
    assert "python is not an option of exec; specify the program after --" in capsys.readouterr().err


def test_url_at_which_no_emulator_answers_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--certificates", str(tmp_path / "tls")]
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"https://localhost:{closed.getsockname()[1]}"
    assert server.main(["exec", "--url", url, *home, "--", "true"]) == 1
    assert capsys.readouterr().err == (
        f"batchimg emulator: --url {url}: no emulator answers there: Connection refused\n"
        "  -> start one in another terminal: batchimg emulator\n"
    )


@pytest.mark.parametrize("option", [("--state", "x"), ("--speed", "2"), ("--control",), ("--no-throttling",)])
def test_options_of_the_state_are_refused_for_a_running_server(
    option: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        server.main(["exec", "--url", "https://localhost:1", *option, "--", "true"])
    assert "where it is started" in capsys.readouterr().err


@pytest.fixture
def azure_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program with the name of the Azure CLI on the path, and return the file with what it was asked."""
    program, asked = tmp_path / "az", tmp_path / "asked"
    program.write_text(f'#!/bin/sh\necho "$AZURE_CONFIG_DIR $*" >> {asked}\necho noise\neval eval \\"\\$AZ_$1\\"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return asked


def test_azure_cli_is_signed_in_before_its_command(
    tmp_path: Path, azure_cli: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AZ_vm", "exit 3")
    assert server.main(["exec", "--certificates", str(tmp_path / "tls"), "--", "az", "vm", "list"]) == 3
    assert capfd.readouterr().out == "noise\n"  # of the command alone
    (folder, login), (same, command) = [line.split(" ", 1) for line in azure_cli.read_text().splitlines()]
    assert login.startswith("login --service-principal -u ")
    assert command == "vm list"
    assert folder == same
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    ("login", "status", "words"),
    [("echo why >&2; exit 1", 1, "az could not sign in to the emulator: why\n"), ("kill -INT $PPID; sleep 9", 130, "")],
)
def test_sign_in_that_fails_or_is_interrupted_ends_it(
    tmp_path: Path,
    azure_cli: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    login: str,
    status: int,
    words: str,
) -> None:
    monkeypatch.setenv("AZ_login", login)
    assert server.main(["exec", "--certificates", str(tmp_path / "tls"), "--", "az", "vm", "list"]) == status
    assert capfd.readouterr() == ("", f"batchimg emulator: {words}" if words else "")
    assert "vm list" not in azure_cli.read_text()
