"""`%batchimg` in a real IPython shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import batchimg_magics
from batchimg_magics.errors import DetachedError, NotFoundError, SpecError
from batchimg_magics.session.work import VerbRun
from batchimg_magics.verbs.grouped_options import OTHER, group_options
from batchimg_magics.verbs.registry import all_verbs
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

LINE = "create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 4 --spot 1"


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with ipython() as opened:
        yield opened


# -- what comes back ---------------------------------------------------------------------------------------------


def test_a_verb_returns_a_plain_frame_with_its_caption(shell: InteractiveShell) -> None:
    answer = run_cell(shell, "%batchimg connect")
    assert type(answer) is pd.DataFrame
    assert answer.attrs["caption"].startswith("LOCAL · account ")
    assert list(answer.connection) == ["local"]


def test_the_main_job(shell: InteractiveShell) -> None:
    run_cell(shell, f"made = %batchimg {LINE}")
    assert list(shell.user_ns["made"].action)[-1] == "created"
    assert set(run_cell(shell, "%batchimg nodes genomics").state) == {"idle"}
    assert list(run_cell(shell, "%batchimg resize genomics --nodes 6").dedicated_after) == [6]
    assert list(run_cell(shell, "%batchimg pools").spot_target) == [1]
    assert len(run_cell(shell, "%batchimg images")) == 1
    assert set(run_cell(shell, "%batchimg delete genomics --image").action) == {"deleted"}


def test_what_is_kept_is_not_shown_and_a_semicolon_keeps_quiet(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run_cell(shell, "x = %batchimg vms")
    assert run_cell(shell, "%batchimg vms;") is None
    assert "prep-vm" in set(shell.user_ns["x"].vm)
    assert capsys.readouterr().out == ""


def test_the_frame_shows_its_caption_and_no_index(shell: InteractiveShell) -> None:
    frame = run_cell(shell, "%batchimg vms")
    shown = shell.display_formatter.format(frame)[0]
    assert shown["text/plain"].startswith("LOCAL · ")
    assert "<b>LOCAL · " in shown["text/html"]
    assert "<th>0</th>" not in shown["text/html"]
    # What is computed from it looks as pandas has it.
    assert shell.display_formatter.format(frame.head(1))[0]["text/html"] == frame.head(1)._repr_html_()


def test_one_connection_serves_all_cells(shell: InteractiveShell) -> None:
    run_cell(shell, f"%batchimg {LINE}")
    run_cell(shell, "def seen(name):\n    found = %batchimg nodes $name\n    return found\nx = seen('genomics')")
    assert len(shell.user_ns["x"]) == 5


# -- cells -------------------------------------------------------------------------------------------------------


def test_a_cell_has_a_yaml_body_and_keeps_its_answer(shell: InteractiveShell) -> None:
    cell = "%%batchimg made << create imaging --nodes $n\nfrom_vm: prep-vm\nvm_size: Standard_D4s_v5\nnodes: 1\n"
    shell.user_ns["n"] = 2
    assert run_cell(shell, cell) is None
    assert list(shell.user_ns["made"].resource)[-1] == "imaging"
    assert len(run_cell(shell, "%batchimg nodes imaging")) == 2  # the line wins over the body


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%batchimg nodes genomics\nnodes: 3", "nodes takes no cell body"),
        ("%%batchimg 1x << create genomics\nnodes: 3", "'1x' is not a valid variable name"),
        ("%%batchimg create genomics\nnodez: 3", "line 1: 'nodez' is not known"),
        ("%%batchimg create genomics\nnodes: [3", "the body is not YAML: line "),
    ],
)
def test_an_invalid_cell(shell: InteractiveShell, cell: str, said: str) -> None:
    failed = shell.run_cell(cell).error_in_exec
    assert isinstance(failed, SpecError)
    assert failed.message.startswith(said)


def test_a_body_and_a_file_are_one_too_many(shell: InteractiveShell, tmp_path: Path) -> None:
    shell.user_ns["file"] = tmp_path / "pool.yaml"
    (tmp_path / "pool.yaml").write_text("nodes: 3")
    failed = shell.run_cell("%%batchimg create genomics --spec {file}\nnodes: 3").error_in_exec
    assert "use one of them" in failed.hint


# -- variables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["$name", "{name}"])
def test_variables_stand_as_whole_words(shell: InteractiveShell, word: str) -> None:
    shell.user_ns["name"] = "nobody"
    failed = shell.run_cell(f"%batchimg nodes {word}").error_in_exec
    assert isinstance(failed, NotFoundError)
    assert "'nobody'" in failed.message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nodes $unheard", "there is no variable 'unheard'"),
        ("nodes --counts {frame}", "frame is a DataFrame"),
        ("resize genomics --nodes=$name", "--nodes is 'five': N is not an integer of 0 or more"),
        ("resize genomics --nodes $5", "--nodes is '$5': N is not an integer of 0 or more"),
    ],
)
def test_variables_that_make_no_sense(shell: InteractiveShell, line: str, said: str) -> None:
    shell.user_ns.update(frame=pd.DataFrame(), name="five")
    failed = shell.run_cell(f"%batchimg {line}").error_in_exec
    assert isinstance(failed, SpecError)
    assert failed.message == said


def test_a_backslash_is_one_and_quotes_group(shell: InteractiveShell) -> None:
    for word in (r"C:\files\vm.json", r"'C:\my files\vm.json'", r'"C:\my files\vm.json"'):
        failed = shell.run_cell(f"%batchimg connect --import {word}").error_in_exec
        assert isinstance(failed, SpecError)
        assert word.strip("'\"") in failed.message


# -- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        ("creat x", "there is no verb 'creat'", "did you mean create?"),
        ("create x --node 5", "create has no option --node", "did you mean --nodes?"),
        ("create x y", "unexpected argument 'y'", "usage: %batchimg create NAME [options]"),
        ("create", "the following arguments are required: NAME", "usage: %batchimg create NAME [options]"),
        ("resize x --nodes -5", "--nodes is '-5': N is not an integer of 0 or more", "expected --nodes N"),
        ("wait x --until redy", "--until is 'redy'", "it is one of: ready, steady"),
        ("nodes 'x", "a quote is not closed", "in: nodes 'x"),
        ("create x --replicas eastus", "--replicas is 'eastus': it is not a region and a number", ""),
        ("help nothing", "there is no verb 'nothing'", ""),
    ],
)
def test_errors_are_short_and_the_cell_fails(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, said: str, hint: str
) -> None:
    done = shell.run_cell(f"%batchimg {line}")
    assert isinstance(done.error_in_exec, SpecError)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"SpecError: {said}"
    assert printed[1].startswith(f"  -> {hint}")
    assert len(printed) == 2


def test_what_was_done_is_shown_before_the_error(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    done = shell.run_cell(f"%batchimg {LINE} --start-task /bin/false")
    assert not done.success
    printed = capsys.readouterr().out
    assert printed.index("\nstep") < printed.index("ResizeError: ")


def test_ctrl_c_prints_how_to_go_on(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waits = iter([KeyboardInterrupt])
    patient = VerbRun.wait

    def interrupted(work: VerbRun, timeout_s: float) -> bool:
        for interrupt in waits:
            raise interrupt
        return patient(work, timeout_s)

    monkeypatch.setattr(VerbRun, "wait", interrupted)
    done = shell.run_cell(f"%batchimg {LINE}")
    assert isinstance(done.error_in_exec, DetachedError)
    printed = capsys.readouterr().out
    assert "%batchimg create genomics" in printed
    assert "stop-resize" not in printed  # there is no pool yet
    assert "Traceback" not in printed
    assert len(run_cell(shell, f"%batchimg {LINE}"))  # the same line goes on


# -- help --------------------------------------------------------------------------------------------------------


def test_a_question_mark_lists_the_verbs(shell: InteractiveShell) -> None:
    text = shell.object_inspect("%batchimg")["docstring"]
    assert text.startswith("Turn one prepared Azure VM")
    assert "  create NAME [options] " in text


def test_help_lists_verbs_and_options(shell: InteractiveShell) -> None:
    assert {"create", "delete", "help"} <= set(run_cell(shell, "%batchimg help").verb)
    assert list(run_cell(shell, "%batchimg").verb) == list(run_cell(shell, "%batchimg help").verb)
    assert "--from-vm VM" in set(run_cell(shell, "%batchimg help create").command)


@pytest.mark.parametrize("line", ["create -h", "create genomics --help", "-h"])
def test_dash_h_prints_help_and_fails_nothing(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    assert run_cell(shell, f"%batchimg {line}") is None
    assert capsys.readouterr().out.startswith("usage: %batchimg ")


@pytest.mark.parametrize("name", ["%batchimg", "%%batchimg"])
def test_the_question_mark_shows_the_forms_and_the_verbs(shell: InteractiveShell, name: str) -> None:
    text = shell.object_inspect(name)["docstring"]
    for form in ("x = %batchimg", "%%batchimg x <<", "$name", "{n * 2}", "nodes: {n * 2}", "%config BatchImgMagics"):
        assert form in text
    assert "create NAME [options]" in text


def test_the_version(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cell(shell, "%batchimg --version") is None
    assert capsys.readouterr().out == f"batchimg_magics {batchimg_magics.__version__}\n"


def test_every_option_of_a_long_list_has_a_group() -> None:
    groups = {verb.name: group_options(verb.options) for verb in all_verbs()}
    assert {name: [one.flag for one in listed[OTHER]] for name, listed in groups.items() if OTHER in listed} == {}
    for verb in all_verbs():
        flags = [one.flag for listed in groups[verb.name].values() for one in listed]
        assert sorted(flags) == sorted(one.flag for one in verb.options if not one.is_positional)


def test_help_tells_what_holds_without_an_option(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    run_cell(shell, "%batchimg create -h")
    text = " ".join(capsys.readouterr().out.split())
    assert "--subnet ID Connect the nodes to this subnet (resource ID) (default: not set)" in text
    assert "--from-vm VM Build the image from this VM (name or resource ID) --from-vhd" in text
    table = run_cell(shell, "%batchimg help create").set_index("command")
    assert table.group["--subnet ID"] == "network and placement"
    assert table.does["--subnet ID"].endswith("(default: not set)")


# -- loading -----------------------------------------------------------------------------------------------------


def doors(shell: InteractiveShell) -> tuple[Any, ...]:
    manager = shell.magics_manager
    kinds = [kind for kind in ("line", "cell") if "batchimg" in manager.magics[kind]]
    names = [type(one).__name__ for one in shell.configurables]
    return (
        kinds,
        "BatchImgMagics" in manager.registry,
        names.count("BatchImgMagics"),
        len(shell.Completer.custom_matchers),
    )


def test_loading_and_unloading_twice(shell: InteractiveShell) -> None:
    loaded = doors(shell)
    assert loaded[:3] == (["line", "cell"], True, 1)
    batchimg_magics.load_ipython_extension(shell)
    assert doors(shell) == loaded
    for _ in range(2):
        batchimg_magics.unload_ipython_extension(shell)
        assert doors(shell) == ([], False, 0, loaded[3] - 1)
    shell.run_line_magic("reload_ext", "batchimg_magics")
    assert doors(shell) == loaded


def test_it_is_loaded_at_its_first_use(shell: InteractiveShell) -> None:
    shell.run_line_magic("unload_ext", "batchimg_magics")
    shell.magics_manager.register_lazy("batchimg", "batchimg_magics")
    assert len(run_cell(shell, "%batchimg vms"))


def test_settings_by_config(shell: InteractiveShell, tmp_path: Path) -> None:
    world = tmp_path / "mine.db"
    run_cell(shell, f"%config BatchImgMagics.state = {str(world)!r}")
    run_cell(shell, "%config BatchImgMagics.speed = '600'")
    run_cell(shell, "%batchimg vms")
    assert world.exists()
    assert list(run_cell(shell, "%batchimg connect").speed) == ["600"]
    assert list(run_cell(shell, "%batchimg connect --speed max").speed) == ["max"]  # the line wins
