"""SECURITY.md: every promise names a test that exists; and what is printed for a shell is quoted."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from batchimg_magics.pool_spec.line import format_line, unescape_braces

ROOT = Path(__file__).parents[1]
PROMISES = re.findall(r"^\| (.+?) \| `(.+?)::(.+?)` \|$", (ROOT / "SECURITY.md").read_text("utf-8"), re.MULTILINE)


def test_every_line_of_the_promises_names_a_test() -> None:
    lines = (ROOT / "SECURITY.md").read_text("utf-8").split("| Promise | Test |")[1].split("\n\n")[0].splitlines()
    assert len(PROMISES) == len(lines) - 2 > 15
    assert len({test for _, _, test in PROMISES}) == len(PROMISES)
    for page in ("README.md", "CONTRIBUTING.md"):
        assert "SECURITY.md" in (ROOT / page).read_text("utf-8")


@pytest.mark.parametrize(("promise", "file", "test"), PROMISES)
def test_a_promise_is_held_by_a_test(promise: str, file: str, test: str) -> None:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    found = [one for one in tree.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) and one.name == test]
    assert len(found) == 1, promise
    assert "skip" not in "".join(map(ast.unparse, found[0].decorator_list))


@pytest.mark.parametrize(
    "value", ["$(rm -rf ~)", "`id`", "a'b", 'a"b', "a b", "-x", "; id", "{name}", "$HOME", "a\\b", "# c", "*", "a\tb"]
)
def test_a_hostile_value_is_one_word_of_a_printed_line(value: str) -> None:
    line = format_line("create", {"name": value, "start_task": value})
    assert shlex.split(unescape_braces(line)) == ["%batchimg", "create", value, "--start-task", value]
