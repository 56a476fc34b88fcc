"""SECURITY.md: every promise names a test that exists; and what is printed for a shell is quoted."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from batchimg_magics import Session, SpecError
from batchimg_magics.core.azure.client import Scope
from batchimg_magics.core.base.denials import tag_options
from batchimg_magics.core.base.login_lines import rdp_line, ssh_line
from batchimg_magics.core.base.table import Table
from batchimg_magics.core.base.toml import toml_text
from batchimg_magics.core.images import packer
from batchimg_magics.core.lock.lock_file import lock_text
from batchimg_magics.core.lock.rebuilding import find_ways
from batchimg_magics.core.lock.resources_read import Found
from batchimg_magics.core.operations import pools as list_pools
from batchimg_magics.masking import make_visible
from batchimg_magics.pool_spec.line import format_line, unescape_braces
from batchimg_magics.ui.cli import main
from batchimg_magics.ui.notification import notification_script
from batchimg_magics.ui.shell_completion import remember_names

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


HOSTILE = [
    "a; id", "$(id)", "`id`", "a'b", 'a"b', "a b", "$HOME", "{id()}", "{{id()}}", "a\nimport os", "a\r\nid",
    "a\u2028id", "a\x1b[2J", "\u202eb", "a\u2019; id; \u2019", "(a)", "a&id", "a|id", ">a", "*", "a\\",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_a_lock_file_of_a_stranger_adds_no_word_to_the_lines_to_copy(value: str) -> None:
    plain, hostile = (_rebuild_lines(one) for one in ("plain", value))
    assert len(plain) == len(hostile) > 8
    for line, other in zip(plain, hostile, strict=True):
        assert "\n" not in other
        assert make_visible(other) == other
        shell = unescape_braces(other) if other.startswith("%") else other
        assert len(shlex.split(shell)) == len(shlex.split(line))
        assert not set("\u2018\u2019\u201c\u201d") & set(other)
        # What `%batchimg` reads as an expression, and bash as a command, stands nowhere.
        assert not other.startswith("%") or "{id()}" not in other.replace("{{", "").replace("}}", "")


def _rebuild_lines(value: str) -> list[str]:
    group = f"/subscriptions/s/resourceGroups/{value.replace('/', '')}"
    disk = f"{group}/providers/Microsoft.Compute/disks/{value}"
    lock = {
        "pool": {"id": f"{group}/providers/Microsoft.Batch/batchAccounts/b/pools/p", "name": value},
        "image": {"id": f"{disk}-i", "sources": {"os": {}, "lun0": {}}},
        "snapshots": {"os": {"id": f"{disk}-s", "disk": disk}, "lun0": {"id": f"{disk}-t", "disk": f"{disk}-u"}},
        "disks": {"os": {"id": disk}, "lun0": {"id": f"{disk}-u"}},
        "vm": {"id": f"{group}/providers/Microsoft.Compute/virtualMachines/{value}"},
        "base_image": {"publisher": value, "offer": value, "sku": value, "version": value},
        "packages": {"file": value, "managers": ["dpkg", "rpm", "pip", "conda"]},
    }
    reader = AsyncMock()
    reader.read = AsyncMock(return_value=Found({"properties": {}}))
    ways = asyncio.run(find_ways(reader, lock, value, value))
    del lock["snapshots"]  # the disks are attached as they are
    ways += asyncio.run(find_ways(reader, lock, value, value))
    return [line for way in ways for line in way.commands]


@pytest.mark.parametrize("value", HOSTILE)
def test_what_a_policy_demands_is_one_word_of_the_line_to_copy(value: str) -> None:
    options = tag_options({"owner": value})
    assert "\n" not in options
    words = shlex.split(unescape_braces(options))
    assert (words[0], len(words)) == ("--tag", 2)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\u2028", "\x85", "\x0b"])
def test_a_printed_line_never_spans_two(end: str) -> None:
    value = f"a{end}import os"
    for options in ({"name": value}, {"name": "a", "start_task": value}, {"name": "a", "tag": {"b": value}}):
        line = format_line("create", options)
        assert len(line.splitlines()) == 1
        assert line.startswith("%%") == ("start_task" in options)


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


@pytest.mark.parametrize("end", packer.ENDS)
@pytest.mark.parametrize("value", [*HOSTILE, "${file(1)}", "%{if}"])
def test_a_packer_template_has_no_expression_and_no_line_of_a_name(value: str, end: str) -> None:
    def text_of(name: str) -> str:
        azure = AsyncMock()
        azure.batch.return_value = Mock()
        azure.scope = Scope("s", name, "b")
        azure.account.return_value = {"properties": {"poolAllocationMode": "UserSubscription"}}
        azure.region.return_value = name
        azure.resource_tags = {}
        reference = {"publisher": name, "offer": name, "sku": name}
        azure.list_documents.return_value = [
            {"imageReference": reference, "osType": "linux", "verificationType": "verified", "nodeAgentSKUId": "x"}
        ]
        made = packer.make_template(azure, "tools", os_type="Linux", base=None, end=end)
        return str(asyncio.run(made).attrs["text"])

    plain, hostile = text_of("plain"), text_of(value)
    assert len(plain.splitlines()) == len(hostile.splitlines())
    for line, other in zip(plain.splitlines(), hostile.splitlines(), strict=True):
        assert other.startswith("#") == line.startswith("#")
        if " az " in line:
            assert len(shlex.split(other.strip("# \\"))) == len(shlex.split(line.strip("# \\")))
        if not line.startswith("#") and line != other:
            assert not re.search(r"(?<!\$)\$\{|(?<!%)%\{", other)
            json.loads(other.partition(" = ")[2])


def test_completion_offers_nothing_that_a_shell_would_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    remember_names(Table.from_rows("vms", [{"vm": f"pre{one}"} for one in [*HOSTILE, "-vm", "\tb"]]), "")
    assert "".join(one.read_text("utf-8") for one in tmp_path.rglob("completion-names.json")).count("pre") > 9
    for words in (["bash", "batchimg check pre"], ["zsh", "check", "pre"], ["fish", "check", "pre"]):
        assert main(["__complete", *words]) == 0
        assert [re.split("[:\t]", one)[0] for one in capsys.readouterr().out.splitlines()] == ["pre-vm"]


def test_a_lock_and_a_notification_have_nothing_invisible() -> None:
    hostile = "a\u202eb\x9b\u200b\U000e0041\x7f\x1b"
    lock = {"format": 1, "pool": {"name": "p", "id": hostile}, "spec": {hostile: hostile}}
    text = lock_text(lock)
    assert make_visible(text) == text
    assert tomllib.loads(text) == lock
    assert make_visible(toml_text(lock)) == toml_text(lock)
    script = notification_script(hostile, f"{hostile} https://h/?sv=1&sig=Pr0be%3D", 1.0)
    assert "\\\\u202e" in script
    assert "\\u202e" not in script.replace("\\\\u202e", "")
    assert "Pr0be" not in script


def test_a_lock_file_names_no_file_of_another_folder(tmp_path: Path) -> None:
    with Session() as session:
        session.connect(state=":memory:", speed="max")
        session.create("genomics", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=1)
        lock = session.lock("genomics", file=str(tmp_path / "a.lock.toml")).attrs["lock"]
        own = lock["packages"]["file"]
        assert (tmp_path / own).is_file()
        for name in (
            "../x.tsv",
            "/etc/x.tsv",
            "..",
            ".bashrc",
            ".x.tsv",
            "a/b.tsv",
            "a\\b.tsv",
            "C:x.tsv",
            "x.py",
            "a\nb.tsv",
        ):
            lock["packages"]["file"] = name
            (tmp_path / "b.lock.toml").write_text(lock_text(lock), "utf-8")
            with pytest.raises(SpecError, match=r"packages\.file is not the name of a TSV file"):
                session.verify(str(tmp_path / "b.lock.toml"))
