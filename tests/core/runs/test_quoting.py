"""Any text of a table arrives in the arguments and in the environment of the program as it is."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchimg_magics.core.runs.input_table import InputColumn, InputTable
from batchimg_magics.core.runs.pool_facts import RunPool
from batchimg_magics.core.runs.request import RunPlan, RunRequest
from batchimg_magics.errors import SpecError
from tests.support.windows_shell import run_in_cmd

if TYPE_CHECKING:
    from batchimg_magics.core.runs.template import Command

NASTY_TEXTS = [
    "",
    "a b",
    "it's",
    '"',
    '\\"',
    "\\",
    "C:\\x\\",
    "$HOME",
    "$(id)",
    "`id`",
    "a;b",
    "%PATH%",
    "%",
    "^",
    "&",
    "|",
    "!a!",
    "!",
    "x\ny",
    "\r\n",
    "\t",
    "é ü",
    "日本",
    "{x}",
    "}}",
    "{{",
    "#x",
    "~",
    "*",
    "-n",
    "<>",
    "(",
    "a=b",
    "😀",
    "''",
    "\x1b",
]
NASTY = st.sampled_from(NASTY_TEXTS)
ANY = st.lists(st.integers(1, 0x10FFFF).filter(lambda code: not 0xD800 <= code < 0xE000).map(chr), max_size=8).map(
    "".join
)
TEXTS = st.none() | st.lists(NASTY | ANY, max_size=3).map("".join)


def pool(*, windows: bool = False) -> RunPool:
    return RunPool(
        "genomics",
        windows,
        slots=1,
        dedicated=1,
        spot=0,
        has_nodes=True,
        identities=(),
        expires=None,
        has_containers=False,
    )


def plan(command: Command, columns: dict[str, Any], *, windows: bool = False, **options: Any) -> RunPlan:
    table = InputTable(tuple(InputColumn(name, texts) for name, texts in columns.items())).check()
    return RunPlan(RunRequest("genomics", table, command, **options), pool(windows=windows))


def run_on_linux(made: RunPlan, row: int = 0, **more: str) -> list[str]:
    """Run the command line of a row as a node does, and return what it prints, split at NUL."""
    environment = {"PATH": os.environ["PATH"], **more, **made.variables(row)}
    line = shlex.split(made.command_line(row))
    assert line[:2] == ["/bin/bash", "-c"]
    done = subprocess.run(line, env=environment, capture_output=True, check=True)
    return [one.decode() for one in done.stdout.split(b"\0")[:-1]]


@given(st.lists(TEXTS, min_size=2, max_size=2))
@settings(max_examples=40)
def test_any_text_arrives_in_a_program_on_linux(texts: list[str | None]) -> None:
    made = plan(("printf", "%s\\0", "{a}", "x{b}y'{a}", "{row}"), {"a": [texts[0]], "b": [texts[1]]})
    a, b = (text or "" for text in texts)
    assert run_on_linux(made) == [a, f"x{b}y'{a}", "0"]


SCRIPT = r"""# {a} isn't code
show() {{ printf '%s\0' "$@"; }}
show {a} pre{a}post "in {a} quotes" 'single {a} quotes' $'ansi {a}' \
  "$(printf %s {a}; echo .)" "${b:-no}" "$(( 1 + (2) ))"
( show "$a" {b}{a} )
cat > /dev/null <<EOF
it's {{ "
EOF
show {a}"{b}"'{a}' <<< "x"
"""


@given(st.lists(TEXTS, min_size=2, max_size=2))
@settings(max_examples=40)
def test_any_text_arrives_in_a_script_on_linux_whatever_quotes_it_stands_in(texts: list[str | None]) -> None:
    made = plan(SCRIPT, {"a": [texts[0]], "b": [texts[1]]})
    a, b = (text or "" for text in texts)
    shown = run_on_linux(made)
    assert shown[:6] == [a, f"pre{a}post", f"in {a} quotes", f"single {a} quotes", f"ansi {a}", f"{a}."]
    assert shown[6:] == [b or "no", "3", a, b + a, a + b + a]


@given(st.lists(TEXTS, min_size=2, max_size=2))
@settings(max_examples=150)
def test_any_text_arrives_in_a_program_on_windows(texts: list[str | None]) -> None:
    columns = {"a": [texts[0]], "b b": [texts[1]]}
    a, b = (text or "" for text in texts)
    cases: tuple[tuple[Command, list[list[str]]], ...] = (
        (
            ("tool.exe", "{a}", "--in={b b}", "C:\\x\\{a}", "%a%", "/y", "{row}"),
            [["tool.exe", a, f"--in={b}", f"C:\\x\\{a}", "%a%", "/y", "0"]],
        ),
        (
            'tool.exe {a} --in={b b}.txt\n\nrem {a}\nother {b b}{a} D:\\{a} "quoted text" & echo done',
            [["tool.exe", a, f"--in={b}.txt"], ["other", b + a, f"D:\\{a}", "quoted text"], ["echo", "done"]],
        ),
    )
    for command, expected in cases:
        made = plan(command, columns, windows=True)
        assert run_in_cmd(made.command_line(0), made.variables(0)) == expected
        assert made.variables(0)["a"] == a
        assert made.variables(0)["b_b"] == b


def test_each_difficult_text_arrives_on_both_systems() -> None:
    columns = {f"c{number}": [text] for number, text in enumerate(NASTY_TEXTS)}
    words = tuple(f"{{{name}}}" for name in columns)
    assert run_on_linux(plan(("printf", "%s\\0", *words), columns)) == NASTY_TEXTS
    made = plan(("tool", *words), columns, windows=True)
    assert run_in_cmd(made.command_line(0), made.variables(0)) == [["tool", *NASTY_TEXTS]]


def test_the_environment_has_every_column() -> None:
    made = plan("env -0", {"sample": ["a\nb"], "PATH": ["x"], "2 x": [None], "2_x": ["u"], "seconds": [""]})
    shown = dict(one.split("=", 1) for one in run_on_linux(made))
    named = {"sample": "a\nb", "column_PATH": "x", "_2_x": "", "_2_x_2": "u", "seconds": "", "BATCHIMG_ROW": "0"}
    assert named.items() <= shown.items()
    assert shown["BATCHIMG_MISSING"] == "2"
    assert shown["PATH"] == os.environ["PATH"]
    windows = plan("env", {"Path": ["x"], "a": ["1"], "A": ["2"]}, windows=True).variables(0)
    assert {"column_Path": "x", "a": "1", "A_2": "2"}.items() <= windows.items()


def test_variables_of_the_node_are_expanded_in_words_and_values_are_not() -> None:
    made = plan(("printf", "%s\\0", "$WHERE/{a}", "${WHERE}", "a$5", "{{x}}"), {"a": ["$WHERE"]})
    assert run_on_linux(made, WHERE="/d e") == ["/d e/$WHERE", "/d e", "a$5", "{x}"]


@pytest.mark.parametrize(
    "script",
    [
        "echo `ls {a}`",
        "echo $(( {a} + 1 ))",
        "(( {a} > 1 ))",
        "echo ${x:-{a}}",
        "cat <<EOF\n{a}\nEOF",
        "cat <<'E'\n{a}\nE",
        "echo \\{a}",
        "cat <<{a}",
        'x="$(case 1 in 1) echo {a};; esac)"',
        "cat <<-EOF\n\tx\n\t{a}\n\tEOF",
    ],
)
def test_a_column_is_refused_where_bash_expands_it_again(script: str) -> None:
    with pytest.raises(SpecError, match=r"\{a\} cannot stand"):
        plan(script, {"a": ["1"]})


@pytest.mark.parametrize(
    "script",
    [
        'tool "{a}"',
        'tool "x"{a}',
        'tool {a}"x"',
        "tool {a} | sort",
        "for %i in (1 2) do tool {a}",
        "call tool {a}",
        "tool {a} & echo hi!",
        "tool {a} ^& x",
        "if 1==1 (\ntool {a}\n)",
    ],
)
def test_a_column_is_refused_where_cmd_reads_it(script: str) -> None:
    with pytest.raises(SpecError, match="on Windows"):
        plan(script, {"a": ["1"]}, windows=True)


def test_a_name_in_braces_must_be_a_column() -> None:
    with pytest.raises(SpecError, match="there is no column 'sampel'") as caught:
        plan("align {sampel}", {"sample": ["1"]})
    assert caught.value.hint == "did you mean sample? For a brace that is meant, write it twice: {{sampel}}"
    made = plan("f() { echo ${x} {} {{row}} {row}; }; f", {"row": ["column"]})
    assert shlex.split(made.command_line(0))[2] == "f() { echo ${x} {} {row} column; }; f"


def test_what_is_too_long_is_refused() -> None:
    long = "x" * 140_000
    with pytest.raises(SpecError, match="row 1 is too long: 140,0"):
        plan("echo {a}", {"a": ["1", long]}).check()
    with pytest.raises(SpecError, match=r"more than the 8,191 of cmd"):
        plan("echo {a}", {"a": [long[:9000]]}, windows=True).check()
    plan("echo {a}", {"a": ["1", long]}, limit=1).check()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "no rows"),
        ({"a": []}, "no rows"),
        ({"a": ["x", "a\0b"]}, "row 1 has a NUL"),
        ({"a": ["\ud800"]}, "surrogate"),
        ({"a{b": ["x"]}, "has a brace"),
        ({" ": ["x"]}, "column 1 has no name"),
    ],
)
def test_tables_that_no_task_can_get_are_refused(columns: dict[str, list[str]], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        plan("echo", columns)
