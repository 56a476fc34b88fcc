"""The record of each result in the outputs of a real notebook."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from batchimg_magics.core.base.records import MIME_TYPE
from batchimg_magics.core.base.table import Table
from batchimg_magics.session.record import MAX_LOCK, MAX_TEXT, finished_record

if TYPE_CHECKING:
    from collections.abc import Mapping

HOSTILE = "<script>alert(1)</script>\\x1b[2J\\u202e"
CELLS = {
    "load": "%load_ext batchimg_magics",
    "shown": "%batchimg connect --seed 7",
    "assigned": "x = %batchimg vms",
    "silenced": "%batchimg vms;",
    "shown later": "x",
    "failed": "%batchimg nodes nope",
    "caught": "try:\n    get_ipython().run_line_magic('batchimg', 'nodes nope')\nexcept Exception:\n    pass",
    "refused": "%batchimg resize genomics --nodes five",
    "no verb": "%batchimg creat x",
    "body": (
        "%%batchimg made << create genomics --from-vm prep-vm --metadata url=https://a.blob/x?sv=1&sig=SECRET1\n"
        "vm_size: Standard_D4s_v5\nnodes: {1 + 1}\nstart_task:\n"
        "  command_line: fetch 'https://a.blob/x?sig=SECRET2'\n  environment: {A: SECRET3, B: 'env:HOME'}\n"
        "  resource_files: [{url: 'https://a.blob/y', path: y}]"
    ),
    "dry run": "%batchimg delete genomics --dry-run",
    "background": "%batchimg resize genomics --nodes 3 --no-wait",
    "joined": "%batchimg resize genomics --nodes 3",
    "background again": "%batchimg resize genomics --nodes 2 --no-wait",
    # The record is shown by the loop of the session: what runs on it afterwards ends after that.
    "ended": (
        "session = get_ipython().magics_manager.registry['BatchImgMagics'].session\n"
        "session.background[-1].result()\n"
        "session.call(lambda azure: azure.account());"
    ),
    "loop": "for i in range(25):\n    x = %batchimg pools",
    "captured": "%%capture cap\n%batchimg pools",
    "plain python": "from batchimg_magics import Session\nsession = Session()\nsession.vms()",
    "python error": "session.nodes('nope')",
    "hostile": f"session.nodes('{HOSTILE}')",
    "interrupted": (
        # The loop is held from the start of the verb until it is interrupted: without that, it may end before.
        "import threading\n"
        "from batchimg_magics.session.work import VerbRun\n"
        "held, names = threading.Event(), ('start', 'wait', 'interrupt')\n"
        "plain = {name: getattr(VerbRun, name) for name in names}\n"
        "def start(self, coroutine):\n"
        "    self._loop.call_soon_threadsafe(held.wait)\n    plain['start'](self, coroutine)\n"
        "def press(self, timeout_s):\n    VerbRun.wait = plain['wait']\n    raise KeyboardInterrupt\n"
        "def interrupt(self):\n    plain['interrupt'](self)\n    held.set()\n"
        "VerbRun.start, VerbRun.wait, VerbRun.interrupt = start, press, interrupt\n"
        "import contextlib\n"
        "with contextlib.suppress(Exception):\n    session.vms()\n"
        "VerbRun.start, VerbRun.interrupt = plain['start'], plain['interrupt']\n"
    ),
    "help": "%batchimg help",
}  # fmt: skip


@pytest.fixture(scope="module")
def outputs() -> dict[str, list[Any]]:
    """Return the outputs of each cell."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS.values()])
    client = NotebookClient(notebook, timeout=60, allow_errors=True)
    client.extra_arguments = ["--log-level=ERROR"]
    client.execute(env={**os.environ, "BATCHIMG_STATE": ":memory:", "BATCHIMG_SPEED": "max"})
    return dict(zip(CELLS, (cell.outputs for cell in notebook.cells), strict=True))


@pytest.fixture
def records(outputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the records of each cell."""
    return {name: [one["data"][MIME_TYPE] for one in found if MIME_TYPE in one.get("data", {})]
            for name, found in outputs.items()}  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "verb", "outcome"),
    [
        ("shown", "connect", "done"),
        ("assigned", "vms", "done"),
        ("silenced", "vms", "done"),
        ("shown later", "vms", "done"),
        ("failed", "nodes", "failed"),
        ("caught", "nodes", "failed"),
        ("refused", "resize", "failed"),
        ("body", "create", "done"),
        ("dry run", "delete", "dry run"),
        ("background", "resize", "detached"),
        ("joined", "resize", "done"),
        ("background again", "resize", "detached"),
        ("ended", "resize", "done"),
        ("captured", "pools", "done"),
        ("plain python", "vms", "done"),
        ("python error", "nodes", "failed"),
        ("hostile", "nodes", "failed"),
        ("interrupted", "vms", "detached"),
        ("help", "help", "done"),
    ],
)
def test_each_result_has_one_record(records: Mapping[str, list[Any]], cell: str, verb: str, outcome: str) -> None:
    assert [(one["version"], one["verb"], one["outcome"]) for one in records[cell]] == [(1, verb, outcome)]


def test_a_shown_table_carries_its_record_and_what_is_not_shown_shows_nothing(
    outputs: Mapping[str, list[Any]],
) -> None:
    assert {"text/plain", "text/html", MIME_TYPE} == set(outputs["shown"][-1]["data"])
    for name in ("assigned", "silenced", "failed", "interrupted"):
        assert outputs[name][0]["data"].keys() == {"text/markdown", MIME_TYPE}
        assert outputs[name][0]["data"]["text/markdown"] == ""
    assert outputs["failed"][1]["output_type"] == "error"
    assert outputs["no verb"][0]["output_type"] == "error"


def test_the_final_line_of_the_progress_carries_the_record_of_a_table_that_is_kept(
    outputs: Mapping[str, list[Any]],
) -> None:
    (only,) = outputs["body"]
    assert only["data"]["text/plain"].startswith("create genomics: done")
    assert only["data"][MIME_TYPE]["rows"] > 0


def test_many_results_of_a_cell_share_its_last_output(records: Mapping[str, list[Any]]) -> None:
    *single, last = records["loop"]
    assert len(single) + len(last["records"]) == 25
    assert {one["verb"] for one in (*single, *last["records"])} == {"pools"}


def test_it_tells_the_connection_the_versions_and_the_times(records: Mapping[str, list[Any]]) -> None:
    (made,) = records["body"]
    connection = made["connection"]
    assert {name: connection[name] for name in ("kind", "seed", "speed", "scenario", "account", "region")} == {
        "kind": "local", "seed": 7, "speed": "max", "scenario": "calm", "account": "genomicsbatch", "region": "eastus",
    }  # fmt: skip
    assert {"batchimg_magics", "azure-batch", "python"} <= made["versions"].keys()
    assert made["api_versions"]["Microsoft.Batch"] == "2025-06-01"
    assert made["resources"]["pool"].endswith("/batchAccounts/genomicsbatch/pools/genomics")
    assert made["resources"]["image_version"].endswith("/images/genomics/versions/1.0.0")
    assert {"snapshot", "gallery", "image_definition"} <= made["resources"].keys()
    assert records["joined"][0]["resources"] == {"pool": made["resources"]["pool"]}
    assert "resources" in records["dry run"][0]
    assert made["started"] < made["ended"]
    assert made["seconds"] > 300
    assert made["arguments"]["spec"]["nodes"] == 2
    assert made["line"].startswith("%%batchimg create genomics --from-vm prep-vm --metadata ")


def test_an_error_is_told_by_its_class_its_code_and_its_words(records: Mapping[str, list[Any]]) -> None:
    (found,) = (one["error"] for one in records["failed"])
    assert (found["class"], found["code"], found["status_code"]) == ("NotFoundError", "PoolNotFound", 404)
    assert found["message"].startswith("there is no pool 'nope'")
    assert records["refused"][0]["error"]["class"] == "SpecError"


def test_no_secret_and_no_control_character_is_in_it(records: Mapping[str, list[Any]]) -> None:
    text = json.dumps(records, ensure_ascii=False)
    assert "SECRET" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert records["body"][0]["arguments"]["spec"]["start_task"]["environment"] == {"A": "***", "B": "env:HOME"}


def test_its_size_is_bounded() -> None:
    options = {
        "name": "p" * 10**6, "spec": {"a": {str(n): "x" * 1000 for n in range(10**4)}},
        "env": {"A": "x" * 10**6}, "deep": _nested(500), "number": float("nan"),
    }  # fmt: skip
    table = Table.from_rows(
        "pools",
        [],
        "c" * 10**6,
        resources={"pool": "i" * 10**6},
        lock={"format": 1, "pool": {"name": "p", "id": "x" * MAX_LOCK}},
    )
    record = finished_record("pools", options, None, None, table)
    assert len(json.dumps(record, allow_nan=False)) < 60_000
    assert len(record["caption"]) == MAX_TEXT
    assert "lock" not in record
    assert record["lock_omitted"]


def _nested(depth: int) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value
