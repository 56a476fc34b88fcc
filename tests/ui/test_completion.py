"""Tab completion in a real shell."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from IPython.core.completer import provisionalcompleter

from batchimg_magics.session import name_cache, names
from batchimg_magics.session.session import Session
from tests.support.shells import ipython, run_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    with ipython(state=":memory:", speed="max") as opened:
        run_cell(opened, "%batchimg create genomics --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes 1")
        yield opened


def completed(shell: InteractiveShell, line: str) -> set[str]:
    with provisionalcompleter():
        return {found.text for found in shell.Completer.completions(line, len(line))}


@pytest.mark.parametrize(
    ("line", "there", "absent"),
    [
        ("%batchimg re", "resize", "create"),
        ("%%batchimg cr", "create", "resize"),
        ("x = %batchimg po", "pools", "nodes"),
        ("%%batchimg x << cr", "create", "resize"),
        ("%batchimg create g --from-", "--from-vm", "--nodes"),
        ("%batchimg create g --nodes 3 -", "--spot", "--nodes"),
        ("%batchimg create g --replicas eastus=1 --r", "--replicas", "--nodes"),
        ("%batchimg create g --from-vm pr", "prep-vm", "desk-vm"),
        ("%batchimg create g --vm-size Standard_D4s_", "Standard_D4s_v5", "Standard_D2s_v5"),
        ("%batchimg nodes ge", "genomics", "nodes"),
        ("%batchimg check ge", "genomics", "prep-vm"),
        ("%batchimg check pr", "prep-vm", "genomics"),
        ("%batchimg check prep-vm --as ", "image", "prep-vm"),
        ("%batchimg wait genomics --until st", "steady", "ready"),
        ("%batchimg help de", "delete", "create"),
    ],
)
def test_words(shell: InteractiveShell, line: str, there: str, absent: str) -> None:
    found = completed(shell, line)
    assert there in found
    assert absent not in found


def test_nothing_else_is_offered(shell: InteractiveShell) -> None:
    assert completed(shell, "%batchimg de") == {"delete"}


@pytest.fixture(scope="module")
def kinds(shell: InteractiveShell) -> Callable[[str], dict[str, str]]:
    """Return a function that completes a cell at its end, and returns the kind of each completion."""
    shell.user_ns.update(nodes_wanted=3, number="five", frame=object())

    def complete(cell: str) -> dict[str, str]:
        with provisionalcompleter():
            found = list(shell.Completer.completions(cell, len(cell)))
        return {one.text: one.type for one in found}

    return complete


BODY = "%%batchimg create g\nfrom_vm: prep-vm\n"


@pytest.mark.parametrize(
    ("cell", "there", "kind", "absent"),
    [
        ("%batchimg re", "resize", "verb", "create"),
        ("%batchimg help re", "resize", "verb", "create"),
        ("%batchimg create g --sp", "--spot", "option", "--nodes"),
        ("%batchimg create g --from-vm ", "prep-vm", "vm", "--nodes"),
        ("%batchimg create g --from-vm=pr", "prep-vm", "vm", "desk-vm"),
        ("%batchimg create g \\\n  --from-vm pr", "prep-vm", "vm", "desk-vm"),
        ("%batchimg create g --vm-size Standard_D4s_", "Standard_D4s_v5", "size", "Standard_D2s_v5"),
        ("%batchimg nodes ", "genomics", "pool", "prep-vm"),
        ("%batchimg check pr", "prep-vm", "resource", "genomics"),
        ("%batchimg wait genomics --until=st", "steady", "value", "ready"),
        ("%batchimg connect --scenario qu", "quota", "the core quotas of Batch accounts are small", "calm"),
        ("%batchimg connect --cloud AzureU", "AzureUSGovernment", "cloud", "AzureCloud"),
        ("%batchimg create g --accept re", "retiring", "rule", "policies"),
        ("%batchimg resize genomics --ttl ", "8h", "duration", "yield"),
        ("%batchimg nodes genomics --where st", "state", "column", "dedicated"),
        ("%batchimg nodes genomics --where \"state == 'id", "idle'", "value", "state"),
        ("%batchimg nodes genomics --where \"state == 'idle' an", "and", "operator", "state"),
        ('%batchimg nodes genomics --where "dedicated and run', "running_tasks", "column", "state"),
        ("%batchimg create g --nodes $no", "$nodes_wanted", "variable", "$number"),
        ("%batchimg create sim-{nu", "{number}", "variable", "{nodes_wanted}"),
        (f"{BODY}vm_s", "vm_size", "key", "nodes"),
        (f"{BODY}", "nodes", "key", "from_vm"),
        (f"{BODY}vm_size: Standard_D4s_", "Standard_D4s_v5", "size", "Standard_D2s_v5"),
        (f"{BODY}os_disk_type: ", "Premium_LRS", "value", "None"),
        (f"{BODY}inter_node: t", "true", "value", "false"),
        (f"{BODY}start_task:\n  comm", "command_line", "key", "from_vm"),
        (f"{BODY}start_task:\n  elevation: ", "nonadmin", "value", "true"),
        (f"{BODY}mounts:\n  - type: ", "nfs", "value", "true"),
        (f"{BODY}mounts:\n- type: nfs\n  sou", "source", "key", "spot"),
        (f"{BODY}nodes: $no", "$nodes_wanted", "variable", "$number"),
        ("%%batchimg autoscale p\n$TargetD", "$TargetDedicatedNodes", "variable", "$PendingTasks"),
    ],
)
def test_kinds(kinds: Callable[[str], dict[str, str]], cell: str, there: str, kind: str, absent: str) -> None:
    found = kinds(cell)
    assert found.get(there) == kind
    assert absent not in found
    assert "<unknown>" not in found.values()


@pytest.mark.parametrize("line", ["%batchimg logs genomics ", "%batchimg repair genomics --node "])
def test_node_ids(shell: InteractiveShell, kinds: Callable[[str], dict[str, str]], line: str) -> None:
    ids = list(run_cell(shell, "%batchimg nodes genomics").node_id)
    assert {text: kind for text, kind in kinds(line).items() if kind == "node"} == dict.fromkeys(ids, "node")


@pytest.mark.parametrize(
    "cell",
    [
        "%batchimg create ge_new",
        "%batchimg create g --nodes pri",
        "%batchimg nosuch pri",
        "%batchimg resize genomics --ttl whi",
        f"{BODY}display_name: pri",
        f"{BODY}start_task:\n  command_line: |\n    pri",
        "%%batchimg nodes genomics\npri",
        "%%batchimg autoscale p\npri",
    ],
)
def test_nothing_of_python_is_offered(kinds: Callable[[str], dict[str, str]], cell: str) -> None:
    assert set(kinds(cell)) <= {"", cell.rsplit(maxsplit=1)[-1]}


def test_a_slow_service_does_not_hold_up_a_completion(
    kinds: Callable[[str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = kinds("%batchimg create g --from-vm ")
    released = threading.Event()

    async def slow(*_: object) -> list[str]:
        await asyncio.to_thread(released.wait)
        return ["new-vm"]

    monkeypatch.setattr(names, "read_names", slow)
    monkeypatch.setattr(name_cache, "WAIT_S", 0.01)
    assert kinds("%batchimg create g --from-vm ") == known
    released.set()
    monkeypatch.setattr(name_cache, "WAIT_S", 30.0)
    assert kinds("%batchimg create g --from-vm ") == {"new-vm": "vm"}
    monkeypatch.undo()
    assert kinds("%batchimg create g --from-vm ") == known


def test_names_are_read_before_they_are_needed(
    kinds: Callable[[str], dict[str, str]], shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_cell(shell, "%batchimg connect --state :memory: --speed max")
    asked = []
    monkeypatch.setattr(Session, "prefetch_names", lambda _, kind: asked.append(kind))
    kinds("%batchimg create g --")
    assert {"vm", "vm_size", "pool"} <= set(asked)


def test_files_are_completed_by_the_shell(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trial.db").touch()
    assert any(found.endswith("trial.db") for found in completed(shell, "%batchimg connect --state tri"))


def test_other_lines_are_left_alone(shell: InteractiveShell) -> None:
    assert "resize" not in completed(shell, "re")


def test_unloading_takes_it_away() -> None:
    with ipython() as opened:
        matchers = len(opened.Completer.custom_matchers)
        opened.run_line_magic("unload_ext", "batchimg_magics")
        assert len(opened.Completer.custom_matchers) == matchers - 1
        opened.run_line_magic("load_ext", "batchimg_magics")
