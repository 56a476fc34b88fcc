"""The command line, with and without a terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchimg_magics.core.base.table import Table
from batchimg_magics.errors import ServiceError
from batchimg_magics.ui import cli
from batchimg_magics.ui.cli import main
from batchimg_magics.verbs.registry import VERB_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

pty = pytest.importorskip("pty", reason="no terminals to be had on this system")

BATCHIMG = Path(sys.executable).with_name("batchimg")
CREATE = ["create", "genomics", "--from-vm", "prep-vm", "--vm-size", "Standard_D4s_v5", "--nodes", "3"]


@pytest.fixture(autouse=True)
def _shared_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHIMG_STATE", str(tmp_path / "world.db"))


def test_lines_share_the_state_of_the_user(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(CREATE) == 0
    assert "LOCAL · pool genomics: 3 idle" in capsys.readouterr().out
    assert main(["nodes", "genomics", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in rows] == ["idle"] * 3
    assert rows[0]["state_since"].endswith("+00:00")
    assert main(["delete", "genomics", "--image"]) == 0
    assert main(["pools", "--json"]) == 0
    assert capsys.readouterr().out.endswith("\n[]\n")


def test_errors_go_to_standard_error_with_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nodes", "nope"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[0].startswith("NotFoundError: there is no pool 'nope'")
    assert main(["nodse", "nope"]) == 2
    assert "did you mean nodes?" in capsys.readouterr().err
    assert main(["create", "genomics", "--no-wait"]) == 2
    assert "--no-wait: not available" in capsys.readouterr().err


def test_lines_in_hints_are_the_command_lines(capsys: pytest.CaptureFixture[str]) -> None:
    main(["delete", "nope"])
    err = capsys.readouterr().err
    assert "`batchimg pools`" in err
    assert "%" not in err


def test_errors_of_a_file_speak_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pool.yaml").write_text("from_vm: prep-vm\nnodes: many\n")
    assert main(["create", "g", "--spec", str(tmp_path / "pool.yaml")]) == 2
    err = capsys.readouterr().err
    assert "line 2: nodes must be a whole number, 0 or more, not 'many'" in err
    assert "correct line 2 of the --spec file" in err
    assert "body" not in err


def test_json_never_imports_pandas(tmp_path: Path) -> None:
    script = (
        "import sys; from batchimg_magics.ui.cli import main; status = main(['vms', '--json']);"
        "print([m for m in ('pandas', 'IPython') if m in sys.modules], file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert {row["vm"] for row in json.loads(done.stdout)} >= {"prep-vm", "desk-vm"}
    assert done.stderr.strip() == "[]"


def in_a_terminal(*words: str, columns: int, interrupt_at: str = "") -> tuple[str, int]:
    """Run the real command in a terminal of its own, press Ctrl-C when it has said so, return output and exit code."""
    ours, its = pty.openpty()
    env = {**os.environ, "COLUMNS": str(columns)}
    process = subprocess.Popen([BATCHIMG, *words], stdin=its, stdout=its, stderr=its, env=env, start_new_session=True)
    os.close(its)
    said = ""
    try:
        while chunk := os.read(ours, 65536):
            said += chunk.decode()
            if interrupt_at and interrupt_at in said:
                process.send_signal(signal.SIGINT)
                interrupt_at = ""
    except OSError:
        pass  # how Linux says that the other end is closed
    finally:
        os.close(ours)
    return said.replace("\r\n", "\n"), process.wait()


#: What ends the progress in a terminal: the line is erased.
ERASED = "\x1b[2K"


def test_a_table_fits_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    said, status = in_a_terminal("vms", columns=80)
    assert status == 0
    table = said.rpartition(ERASED)[2]
    assert "\x1b" not in table
    lines = table.splitlines()
    assert lines[0].startswith("LOCAL · ")
    assert re.match("vm +power +generalized +vm_size ", lines[1])
    assert any(re.match("prep-vm +deallocated +yes +Standard_D4s_v5 ", line) for line in lines)
    assert max(map(len, lines[1:-2])) <= 80
    assert re.match("the same in all rows: .*region eastus", lines[-2])
    assert re.match("not shown: .*id ", lines[-1])
    monkeypatch.delenv("NO_COLOR")
    narrow, _ = in_a_terminal("vms", columns=50)
    assert "vm: prep-vm\x1b[0m\n  power: deallocated" in narrow  # a block


@pytest.fixture
def heard() -> Iterator[None]:
    """Let processes that a test starts hear Ctrl-C: what a shell runs in the background ignores it, and so do they."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_ends_with_130_and_prints_how_to_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHIMG_SPEED", "240")
    said, status = in_a_terminal(*CREATE, columns=200, interrupt_at="nodes  ")
    assert status == 130
    assert "create genomics: interrupted · " in said
    assert f"`batchimg {' '.join(CREATE)}`" in said
    assert "`batchimg stop-resize genomics`" in said
    assert "Traceback" not in said


def test_a_profile_stands_before_the_verb_or_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--profile", "lab", "vms"], ["vms", "--profile", "lab"], ["connect", "--profile", "lab"]):
        assert main(words) == 1
        assert "no connection was saved as 'lab'" in capsys.readouterr().err


def test_help_needs_no_connection(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "batchimg create NAME [options]" in capsys.readouterr().out
    assert main(["delete", "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: batchimg delete NAME [options]")
    assert main(["help", "nodes", "--json"]) == 0
    assert {
        "verb": "nodes",
        "does": "Count the nodes by state instead of listing them",
        "command": "--counts",
        "group": "options",
    } in json.loads(capsys.readouterr().out)


def test_formats_of_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vms", "-o", "json"]) == main(["vms", "--json"]) == 0
    both = capsys.readouterr().out
    assert both[: len(both) // 2] == both[len(both) // 2 :]
    assert main(["-o", "tsv", "vms"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == [row["vm"] for row in json.loads(both[: len(both) // 2])]
    assert {"true", "false"} <= {value for row in rows for value in row}
    assert len({len(row) for row in rows}) == 1
    assert main(["vms", "--output=table"]) == 0
    assert capsys.readouterr().out.startswith("LOCAL · ")
    for words, said in (
        (["vms", "-o", "xml"], "--output is 'xml'"),
        (["vms", "--json", "-o", "tsv"], "--json and --output tsv cannot be combined"),
        (["vms", "-o"], "-o/--output: expected one argument"),
    ):
        assert main(words) == 2
        assert said in capsys.readouterr().err


def test_values_with_tabs_and_line_breaks_stay_in_their_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # The verb has an --output of its own, a file; -o is that of every command.
    assert main(["packer", "tools", "--output", "tools.pkr.hcl", "-o", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (tmp_path / "tools.pkr.hcl").exists()
    assert main(["autoscale", "nope", "-o", "tsv"]) == 1
    table = Table.from_rows("help", [{"verb": "a\tb", "does": "c\nd", "command": "C:\\x"}])
    monkeypatch.setattr(cli, "run_with_progress", lambda *_: table)
    capsys.readouterr()
    assert main(["pools", "-o", "tsv"]) == 0
    assert capsys.readouterr().out == "a\\tb\tc\\nd\tC:\\\\x\t\n"
    assert row


def test_a_pipe_gets_the_text_of_a_file_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ("first\n  second: \x1b[31m\n\nlast\n", "one line", None)
    rows = [{"node_id": f"n{number}", "state": "idle", "text": text} for number, text in enumerate(texts)]
    for some in (rows, rows[:1]):
        table = Table.from_rows("logs", some, "logs")
        monkeypatch.setattr(cli, "run_with_progress", lambda *_, table=table: table)
        assert main(["logs", "p"]) == 0
        lines = capsys.readouterr().out.splitlines()
        start = lines.index("  text:")
        assert lines[start + 1 : start + 5] == ["first", "  second: \\x1b[31m", "", "last"]
    assert "node_id: n0" in lines


def test_an_error_of_the_service_does_not_control_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ServiceError("Bad: \x1b]0;title\x07\u202egnp", hint="\x9b2J")

    monkeypatch.setattr(cli, "run_with_progress", fail)
    assert main(["pools"]) == 1
    assert capsys.readouterr().err == "ServiceError: Bad: \\x1b]0;title\\x07\\u202egnp\n  -> \\x9b2J\n"


def test_a_verb_that_only_shows_what_it_would_do_says_so_by_its_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table.from_rows("delete", [], "Dry run", withheld=True)
    monkeypatch.setattr(cli, "run_with_progress", lambda *_: table)
    assert main(["pools"]) == 3
    assert "Dry run" in capsys.readouterr().out


def test_a_reader_that_stops_early_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run([BATCHIMG, "help"], stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_version_and_unknown_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("batchimg_magics ")
    for word, near in (
        ("resise", "resize"),
        ("scale", "resize"),
        ("ls", "pools, vms, images or nodes"),
        ("zzz", ""),
        ("cost", "show, history or estimate"),
    ):
        assert main([word]) == 2
        hint = capsys.readouterr().err.splitlines()[1]
        assert hint.startswith(f"  -> {f'did you mean {near}? ' if near else ''}The verbs are: connect, profiles, vms")
        assert all(f"{verb}" in hint for verb in (*VERB_NAMES, "emulator"))


def test_help_of_all_verbs_fits_a_terminal_and_tells_what_every_command_has() -> None:
    said, status = in_a_terminal("-h", columns=80)
    assert status == 0
    assert max(map(len, said.splitlines())) <= 80
    for word in ("emulator [options]", "-o, --output FORMAT", "--json", "--profile NAME", "3 nothing was done"):
        assert word in " ".join(said.split())
    said, status = in_a_terminal("create", "-h", columns=80)
    assert max(len(line) for line in said.partition("examples:")[0].splitlines()) <= 80
    assert "\noptions of every command:\n" in said
    assert "-o FORMAT, --output FORMAT" in said
    assert said.index("image source (one of --from-... is required):") < said.index("network and placement:")
    assert "(default: that of the pool or of the VM)" in " ".join(said.split())


def test_create_dry_run_is_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CREATE, "--dry-run", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert main(["plan", *CREATE[1:], "--json"]) == 0
    assert [row["step"] for row in json.loads(capsys.readouterr().out)] == [row["step"] for row in shown]
    assert main(["pools", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_what_was_done_is_printed_before_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CREATE, "--start-task", "/bin/false", "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)[-1]["step"] == "nodes"
    assert "ResizeError" in said.err


@pytest.mark.parametrize(("words", "usage"), [([], "batchimg emulator [-h]"), (["exec"], "batchimg emulator exec")])
def test_help_of_the_emulator_is_that_of_its_command(
    words: list[str], usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["help", "emulator", *words])
    assert capsys.readouterr().out.startswith(f"usage: {usage}")
