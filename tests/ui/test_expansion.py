"""Variables, comments and semicolons on `%batchimg` lines and in bodies, in a real IPython shell."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from batchimg_magics.errors import BatchImgError, SpecError
from batchimg_magics.session.session import Session
from batchimg_magics.ui.expansion import expand_body, expand_words
from batchimg_magics.ui.line_words import split_line
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

VARIABLES: dict[str, Any] = {
    "n": 4,
    "i": 7,
    "name": "sim",
    "two": "a b",
    "again": "$n {n}",
    "quote": 'it\'s "so"',
    "file": PurePosixPath("/data/vm.json"),
    "files": [PurePosixPath("/data/a.json")],
    "sizes": {"big one": "Standard_D4s_v5"},
    "flag": True,
    "count": np.int64(3),
    "share": np.float64(0.05),
    "frame": pd.DataFrame(),
    "day": dt.date(2026, 7, 1),
    "nothing": None,
    "TargetDedicatedNodes": 9,
    "AZ_BATCH_NODE_ID": "mine",
}


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    with ipython(state=":memory:", speed="max") as opened:
        opened.user_ns.update(VARIABLES)
        yield opened


class AskedError(BatchImgError):
    """What a line asks the session for."""


@pytest.fixture
def asked(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs a cell and returns the options that reach the session."""

    def begin(_: Session, verb: str, /, **options: Any) -> Any:
        raise AskedError(verb, hint=repr(options))

    monkeypatch.setattr(Session, "begin", begin)
    monkeypatch.setattr(Session, "connected", True)

    def run(cell: str) -> dict[str, Any]:
        error = shell.run_cell(cell).error_in_exec
        assert isinstance(error, AskedError), error
        return dict(eval(error.hint))  # noqa: S307 - the test's own repr

    return run


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("$name", "sim"),
        ("{name}", "sim"),
        ("sim-$n", "sim-4"),
        ("$name-$n.x", "sim-4.x"),
        ("sim-{i:03d}-{n}", "sim-007-4"),
        ("{n*2}", "8"),
        ("{n * 2 + 1}", "9"),
        ("{'x' if n > 3 else 'y'}", "x"),
        ("{files[0].name}", "a.json"),
        ("$file.name", "vm.json"),
        ("$file", "/data/vm.json"),
        ("$name.json", "sim.json"),
        ('{sizes["big one"]}', "Standard_D4s_v5"),
        ("{name!r}", "'sim'"),
        ("{day!s}", "2026-07-01"),
        ("{day:%Y%m}", "202607"),
        ("{sum(n for _ in range(2))}", "8"),
        ("{count}$count", "33"),
        ("$share", "0.05"),
        ("$flag", "True"),
        # A value is one word, and is not read again.
        ("$two", "a b"),
        ("x$two", "xa b"),
        ('"$two"', "a b"),
        ("$again", "$n {n}"),
        ("$quote", 'it\'s "so"'),
        # In single quotes, a dollar sign is text, as in a shell and in IPython; braces are not.
        ("'$n'", "$n"),
        ("'{n}'", "4"),
        ("\"echo '$n' {n}\"", "echo '$n' 4"),
        ('"it\'s $n"', "it's 4"),
        # Signs themselves.
        ("$$n", "$n"),
        ("$$", "$"),
        ("{{n}}", "{n}"),
        ("{{{n}}}", "{4}"),
        ("a$", "a$"),
        ("$5", "$5"),
        ("'{'", "{"),
        ("'}'", "}"),
        ("{}", "{}"),
        ("[0-9]{3}", "[0-9]{3}"),
        ("'{2,3}'", "{2,3}"),
        ('\'{"a": {"b": [1, {"c": 2}]}}\'', '{"a": {"b": [1, {"c": 2}]}}'),
        ("'{\"a\":{}}'", '{"a":{}}'),
        ("'{name: x}'", "{name: x}"),
        ("\"awk '{print $1}' x\"", "awk '{print $1}' x"),
        ("'{print}  x'", "{print}  x"),
        ("'f() { n; }'", "f() { n; }"),
        # A text may be the shell's.
        ('"echo $nobody ${n} {nobody} $n"', "echo $nobody ${n} {nobody} 4"),
        # A comment begins at a space.
        ("a#b", "a#b"),
        ("'#a'", "#a"),
        ("a # b $nobody 'c", "a"),
        ("a;", "a"),
        ("a ;  # b", "a"),
        ("'a;'", "a;"),
        ("a;b", "a;b"),
    ],
)
def test_a_word(shell: InteractiveShell, word: str, value: str) -> None:
    error = shell.run_cell(f"%batchimg wait p --until {word}").error_in_exec
    assert isinstance(error, SpecError)
    assert error.message == f"--until is {value!r}"


@pytest.mark.parametrize(
    ("word", "said", "hint"),
    [
        ("$nam", "there is no variable 'nam'", "did you mean name?"),
        ("sim-$nobody", "there is no variable 'nobody'", "for the text $nobody itself, write $$nobody"),
        ("{nobody*2}", "there is no variable 'nobody'", "for the text {nobody*2} itself, write {{nobody*2}}"),
        ("{print}", "there is no variable 'print'", ""),
        ("sim-${n}", "${n} is not expanded", "write {n} for the value of n"),
        ("$frame", "frame is a DataFrame", "{str(name)} makes a string"),
        ("{nothing}", "nothing is None", "use a string, a number, a path or a bool"),
        ("{day}", "day is a date", ""),
        ("{[n][5]}", "{[n][5]}: IndexError: list index out of range", "correct the expression"),
        ("{n/0}", "{n/0}: ZeroDivisionError: division by zero", ""),
        ("{n:xyz}", "{n:xyz}: ValueError: Invalid format specifier", ""),
    ],
)
def test_a_reference_that_has_no_value(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], word: str, said: str, hint: str
) -> None:
    error = shell.run_cell(f"%batchimg wait p --until {word}").error_in_exec
    assert isinstance(error, SpecError)
    assert error.message.startswith(said)
    assert hint in error.hint
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_values_of_options_and_local_variables(shell: InteractiveShell, asked: Any) -> None:
    line = "create sim-$n --from-vm={name} --nodes={n*2} --spot {n // 2} --take-what-fits  # a comment"
    options = asked(f"%batchimg {line}")
    assert options == {"name": "sim-4", "from_vm": "sim", "nodes": 8, "spot": 2, "take_what_fits": True}
    cell = "def run(m):\n    %batchimg wait {name}-{m} --until ready\nrun(5)"
    assert asked(cell)["name"] == "sim-5"
    shell.user_ns.pop("m", None)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("'$TargetDedicatedNodes=min(3, $n);'", "$TargetDedicatedNodes=min(3, $n);"),
        ('"$TargetDedicatedNodes=$n;"', "$TargetDedicatedNodes=4;"),
        ("'$TargetDedicatedNodes={n};'", "$TargetDedicatedNodes=4;"),
        ("$TargetDedicatedNodes={n*2}", "$TargetDedicatedNodes=8"),
        ("$two", "a b"),
    ],
)
def test_a_formula_keeps_its_variables(asked: Any, word: str, value: str) -> None:
    assert asked(f"%batchimg autoscale p --formula {word}")["formula"] == value


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("$AZ_BATCH_NODE_ID/run.sh", "$AZ_BATCH_NODE_ID/run.sh"),
        ("$NOBODY/run.sh", "$NOBODY/run.sh"),
        ("\"bash -c 'for i in 1 2; do echo $i {n}; done'\"", "bash -c 'for i in 1 2; do echo $i 4; done'"),
        ('"echo ${HOME} $name"', "echo ${HOME} sim"),
    ],
)
def test_a_command_line_keeps_the_variables_of_its_shell(asked: Any, word: str, value: str) -> None:
    assert asked(f"%batchimg create g --start-task {word}")["start_task"] == value
    assert asked(f"%batchimg create g --start-task={word}")["start_task"] == value


# -- bodies ------------------------------------------------------------------------------------------------------

BODY = """\
# a comment with {nobody} and $nobody
from_vm: {name}
nodes: {n*2}
spot: $n
max_unusable: {share}
take_what_fits: {flag}
vm_size: {sizes["big one"]}  # the large one
display_name: run {n} of $name in {two}
metadata: {a: b, run: {n}, text: {again}, at: "{day:%Y}: $i", plain: '$i'}
subnet: $name-{i:03d}
start_task:
  command_line: |
    for i in 1 2; do echo "$i ${HOME} {n}" '{print $1}'; done
    echo {nobody} {{n}}
  env: {PATH: $PATH:/opt/bin, ROOT: $n}
check_command: test -f $AZ_BATCH_NODE_ID/{n}.txt && echo $i
nodez: 5
"""


def test_a_body(asked: Any) -> None:
    spec = asked(f"%%batchimg create g\n{BODY}")["spec"]
    body = yaml.safe_load(spec)
    assert body == {
        "from_vm": "sim",
        "nodes": 8,
        "spot": 4,
        "max_unusable": 0.05,
        "take_what_fits": True,
        "vm_size": "Standard_D4s_v5",
        "display_name": "run 4 of sim in a b",
        "metadata": {"a": "b", "run": 4, "text": "$n {n}", "at": "2026: 7", "plain": "$i"},
        "subnet": "sim-007",
        "start_task": {
            "command_line": "for i in 1 2; do echo \"$i ${HOME} 4\" '{print $1}'; done\necho {nobody} {n}\n",
            "env": {"PATH": "$PATH:/opt/bin", "ROOT": 4},
        },
        "check_command": "test -f $AZ_BATCH_NODE_ID/4.txt && echo $i",
        "nodez": 5,
    }
    # Each key is on its line, so that errors name the right one.
    keys = [line.partition(":")[0] for line in BODY.splitlines()]
    assert [place for place, line in enumerate(spec.splitlines()) if line.startswith("nodez")] == [keys.index("nodez")]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("from_vm: a\nnodes: $nobody", "line 2: there is no variable 'nobody'"),
        ("from_vm: a\nnodes: {nobody}", "line 2: there is no variable 'nobody'"),
        ("from_vm: sim-$nobody", "line 1: there is no variable 'nobody'"),
        ("from_vm: [{frame}]", "line 1: frame is a DataFrame"),
        ("nodes: {n/0}", "line 1: {n/0}: ZeroDivisionError"),
        ("from_vm: {files[0].name}\nnodes: ]", "the body is not YAML: line 2"),
    ],
)
def test_a_body_with_an_error(shell: InteractiveShell, body: str, said: str) -> None:
    error = shell.run_cell(f"%%batchimg create g\n{body}").error_in_exec
    assert isinstance(error, SpecError)
    assert error.message.startswith(said)


def test_json_stays_json(asked: Any) -> None:
    import json

    text = '{"id": "g", "targetDedicatedNodes": {n}, "metadata": [{"name": "a", "value": "{two}$n"}]}'
    spec = json.loads(asked(f"%%batchimg create g\n{text}")["spec"])
    assert spec == {"id": "g", "targetDedicatedNodes": 4, "metadata": [{"name": "a", "value": "a b4"}]}


def test_a_formula_as_a_body_is_left_as_it_is(shell: InteractiveShell, asked: Any) -> None:
    formula = "$TargetDedicatedNodes = {n};  // $n\n$NodeDeallocationOption = taskcompletion;\n"
    assert asked(f"%%batchimg autoscale p\n{formula}") == {"name": "p", "formula": formula}
    error = shell.run_cell(f"%%batchimg autoscale p --formula x\n{formula}").error_in_exec
    assert isinstance(error, SpecError)
    assert error.message == "--formula and a cell body cannot be combined"


@pytest.mark.parametrize("line", ["%%batchimg", "%%batchimg  # comment", "%%batchimg x <<"])
def test_a_verb_in_the_body_belongs_on_the_line(shell: InteractiveShell, line: str) -> None:
    error = shell.run_cell(f"{line}\ncreate y1\n").error_in_exec
    assert isinstance(error, SpecError)
    assert error.hint == "write it there: %%batchimg create ..."


# -- the semicolon -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "is_shown"),
    [
        ("%batchimg help", True),
        ("%batchimg help;", False),
        ("%batchimg help ;  # quiet", False),
        ("if True:\n    %batchimg help;", False),
        ("%%batchimg help;\n# a comment\n", False),
        ("x = %batchimg help;", False),
        ("x = %batchimg help;\nx", True),
        ("def f():\n    x = %batchimg help;\n    return x\nf()", True),
    ],
)
def test_a_semicolon_hides_the_table_and_keeps_the_value(shell: InteractiveShell, cell: str, *, is_shown: bool) -> None:
    shell.user_ns.pop("x", None)
    shown = run_cell(shell, cell)
    assert (shown is not None) == is_shown
    if cell.startswith("x ="):
        assert "create" in set(shell.user_ns["x"].verb)


# -- any words -----------------------------------------------------------------------------------------------------

TEXTS = st.text("ab1$n{}'\"#;:,[]&*!|>%@`\\-= \u00e9\u2028\U0001f600", max_size=20)


@settings(max_examples=20, deadline=None)
@given(st.lists(TEXTS, max_size=3))
def test_values_reach_words_as_they_are(values: list[str]) -> None:
    variables = {f"v{place}": value for place, value in enumerate(values)}
    line = " ".join(f"a${name} --b={{{name}}} '{{{name}}}'" for name in variables)
    expected = [word for value in values for word in (f"a{value}", f"--b={value}", value)]
    assert expand_words(split_line(line).words, variables) == expected


@settings(max_examples=20, deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_quoted_words_are_split_as_they_were_joined(words: list[str]) -> None:
    plain = ["".join(one for one in word if one not in "\"'{}$") for word in words]
    line = " ".join(f"'{word}'" if place % 2 else f'"{word}"' for place, word in enumerate(plain))
    assert [word.source for word in split_line(line).words] == plain


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.sampled_from(["one", "two", "three"]), TEXTS, max_size=3), TEXTS)
def test_values_reach_a_body_as_they_are(values: dict[str, str], text: str) -> None:
    variables = {f"v_{key}": value for key, value in values.items()}
    body = "".join(f"{key}: {{v_{key}}}\n{key}_2: |\n  x {{v_{key}}}\n  y\n" for key in values) + "end: 1"
    read = yaml.safe_load(expand_body(body, variables)) | {"end": 1}
    # Text that is an integer is a number in a body, as on a line.
    integers = {key for key, value in values.items() if re.fullmatch(r"-?(0|[1-9][0-9]*)", value)}
    assert {key: read[key] for key in values} == {
        key: int(value) if key in integers else value for key, value in values.items()
    }
    assert {key: read[f"{key}_2"] for key in values} == {key: f"x {value}\ny\n" for key, value in values.items()}
    # What is no YAML, and text without references, is left as it is.
    assert expand_body(text.replace("{", "").replace("$", ""), {}) == text.replace("{", "").replace("$", "")
