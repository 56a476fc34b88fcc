"""SECURITY.md: every promise names a test that exists; and what is printed for a shell is quoted."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from batchimg_magics.core.base.login_lines import rdp_line, ssh_line
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.operations import pools as list_pools
from batchimg_magics.pool_spec.line import format_line, unescape_braces
from batchimg_magics.ui.cli import main

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


@pytest.mark.parametrize("user", ["ana", "$(rm -rf ~)", "`id`", "-oProxyCommand=id", "a b", "a;id", ""])
@pytest.mark.parametrize("address", ["10.0.0.4", "fe80::1", "a.example.com", "-oProxyCommand=id", "$(id)", "a b"])
def test_a_login_line_runs_nothing_else(user: str, address: str) -> None:
    words = shlex.split(ssh_line(user, address, 50_000))
    assert words[:3] == ["ssh", "-p", "50000"]
    assert len(words) == 4
    assert not words[3].startswith("-")
    assert re.fullmatch(r"mstsc /v:[\w.:]+:3389", rdp_line(address, 3389))
    assert "$(" not in ssh_line("ana", address)


def test_output_for_programs_controls_no_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("BATCHIMG_STATE", str(tmp_path / "world.db"))
    hostile = "a\x1b[2J\rb\x7f\x9b\u202ec\td\ne\u200b"
    table = Table.from_rows("pools", [{"pool": hostile}])
    monkeypatch.setattr(list_pools, "list_pools", AsyncMock(return_value=table))
    for form in ("table", "tsv", "json"):
        assert main(["pools", "-o", form]) == 0
        out = capsys.readouterr().out
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u200b]", out), (form, out)
        if form == "json":
            assert json.loads(out)[0]["pool"] == hostile
        if form == "tsv":
            assert out.count("\n") == 1
