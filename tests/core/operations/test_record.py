"""`record`: an executed notebook is read back; its lock file is rebuilt, and a crate is written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import nbformat
import papermill
import pytest
from nbconvert import HTMLExporter, MarkdownExporter
from papermill.exceptions import PapermillExecutionError

from batchimg_magics import Session, SpecError
from batchimg_magics.core.base.package_list import PackageList
from batchimg_magics.core.base.package_store import PackageStore
from batchimg_magics.core.base.records import MIME_TYPE
from batchimg_magics.core.lock.lock_file import lock_text, parse_lock

if TYPE_CHECKING:
    from pathlib import Path

CREATE = "create {name} --from-vm prep-vm --vm-size Standard_D4s_v5 --nodes {nodes}"
CELLS = (
    "%load_ext batchimg_magics",
    "name = 'nobody'\nnodes = 0",
    f"%batchimg {CREATE.format(name='$name', nodes='{nodes * 2}')};",
    f"x = %batchimg {CREATE.format(name='imaging', nodes=1)}",
    "%batchimg lock $name",
    "%batchimg delete genomics --dry-run",
    "%batchimg nodes nope",
    "%batchimg pools",
)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a notebook that papermill has executed, with parameters; its run failed, as its last but one cell does.

    The lock file that it wrote is beside it.
    """
    folder = tmp_path_factory.mktemp("run")
    cells = [nbformat.v4.new_markdown_cell("# A run"), *map(nbformat.v4.new_code_cell, CELLS)]
    cells[2].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "template.ipynb")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("BATCHIMG_STATE", ":memory:")
        patched.setenv("BATCHIMG_SPEED", "max")
        with pytest.raises(PapermillExecutionError, match="there is no pool 'nope'"):
            papermill.execute_notebook(
                folder / "template.ipynb", folder / "run.ipynb", {"name": "genomics", "nodes": 1}, cwd=folder,
                progress_bar=False, log_output=False,
            )  # fmt: skip
    return folder / "run.ipynb"


@pytest.fixture
def session() -> Session:
    return Session()


def changed(executed: Path, tmp_path: Path, change: Any) -> str:
    """Return a notebook whose records are changed."""
    notebook = json.loads(executed.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if MIME_TYPE in output.get("data", {}):
                output["data"][MIME_TYPE] = change(output["data"][MIME_TYPE])
    file = tmp_path / "changed.ipynb"
    file.write_text(json.dumps(notebook), encoding="utf-8")
    return str(file)


def test_papermill_fails_with_the_verb_and_its_notebook_reads_well(executed: Path) -> None:
    notebook = nbformat.read(executed, as_version=4)
    (error,) = [one for cell in notebook.cells for one in cell.get("outputs", []) if one["output_type"] == "error"]
    assert (error["ename"], len(error["traceback"])) == ("NotFoundError", 2)
    assert not notebook.cells[-1].outputs  # the cell after the one that failed
    (progress,) = next(cell.outputs for cell in notebook.cells if cell.source.startswith("%batchimg create $name"))
    assert progress["data"]["text/plain"].startswith("create genomics: done · ")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        html, _ = HTMLExporter().from_notebook_node(notebook)
        markdown, _ = MarkdownExporter().from_notebook_node(notebook)
    for text in (html, markdown):
        assert "create genomics: done" in text
        assert "there is no pool" in text
        assert MIME_TYPE not in text
        assert "status_code" not in text


def test_it_has_a_row_for_each_result(executed: Path, session: Session) -> None:
    found = session.record(str(executed))
    assert list(zip(found["verb"], found["outcome"], strict=True)) == [
        ("create", "done"), ("create", "done"), ("lock", "done"), ("delete", "dry run"), ("nodes", "failed"),
    ]  # fmt: skip
    assert list(found["cell"].diff().dropna()) == [1, 1, 1, 2]  # papermill adds a cell before the one that failed
    assert found["line"][0] == f"%batchimg {CREATE.format(name='genomics', nodes=2)}"
    assert set(found["connection"]) == {"local"}
    assert found["seconds"][0] > 300
    assert found["error"][4].startswith("PoolNotFound: there is no pool 'nope'")
    assert "image_version=/subscriptions/" in found["resources"][2]
    assert found.attrs["caption"].endswith("run.ipynb: 5 results, 1 failed")
    (warning,) = found.attrs["warnings"]
    assert warning["found"].startswith("pool imaging has no lock in the notebook")
    assert warning["fix"].endswith('`session.lock("imaging")` after it')
    assert session.connection is None


def test_the_lock_file_is_rebuilt_byte_for_byte(executed: Path, session: Session, tmp_path: Path) -> None:
    made = executed.with_name("genomics.lock.toml").read_bytes()
    session.record(str(executed), lock=str(tmp_path / "back.toml"))
    session.record(str(executed), lock=str(tmp_path))
    assert (tmp_path / "back.toml").read_bytes() == (tmp_path / "genomics.lock.toml").read_bytes() == made
    (tmp_path / "other.txt").write_text("mine")
    with pytest.raises(SpecError, match="exists already"):
        session.record(str(executed), lock=str(tmp_path / "other.txt"))
    assert (tmp_path / "other.txt").read_text() == "mine"
    session.record(str(executed), lock=str(tmp_path / "other.txt"), force=True)
    assert (tmp_path / "other.txt").read_bytes() == made


def test_without_a_lock_it_says_what_is_missing(executed: Path, session: Session, tmp_path: Path) -> None:
    file = changed(executed, tmp_path, lambda record: {**record, "lock": None})
    with pytest.raises(SpecError, match=r"no record of `lock`: it does not have what the image of pool imaging"):
        session.record(file, lock=str(tmp_path / "x.toml"))
    assert not (tmp_path / "x.toml").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lock_text", "format = 1"),
        ("lock_text", "x = ["),
        ("lock_text", 5),
        ("lock", {"format": 1, "pool": {"name": "genomics"}}),
        ("lock", {"format": 1, "pool": {"name": "../../x"}}),
    ],
)
def test_a_lock_that_was_changed_is_refused(
    executed: Path, session: Session, tmp_path: Path, name: str, value: object
) -> None:
    file = changed(executed, tmp_path, lambda record: {**record, name: value} if record["verb"] == "lock" else record)
    with pytest.raises(SpecError, match=r"the lock in cell \d+ of "):
        session.record(file, lock=str(tmp_path / "x.toml"))
    assert not (tmp_path / "x.toml").exists()


def test_the_list_of_packages_is_written_beside_the_lock_where_it_is_known(
    executed: Path, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = PackageList.parse("dpkg\tbash\t5.2\t\n")

    def add(record: dict[str, Any]) -> dict[str, Any]:
        if record["verb"] != "lock":
            return record
        section = {"sha256": packages.sha256, "count": 1, "file": "genomics.packages.tsv"}
        lock = {**parse_lock(record["lock_text"], ""), "packages": section}
        return {**record, "lock": lock, "lock_text": lock_text(lock)}

    file = changed(executed, tmp_path, add)
    (tmp_path / "to").mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    found = session.record(file, lock=str(tmp_path / "to"))
    assert found.attrs["warnings"][0]["found"].startswith("the list of packages of pool genomics is not on this")
    assert [one.name for one in (tmp_path / "to").iterdir()] == ["genomics.lock.toml"]
    store = PackageStore(tmp_path / "data" / "batchimg" / "packages")
    for place in (lambda: store.put(packages), lambda: (tmp_path / "genomics.packages.tsv").write_text(packages.text)):
        place()
        session.record(file, lock=str(tmp_path / "to"))
        assert (tmp_path / "to" / "genomics.packages.tsv").read_text(encoding="utf-8") == packages.text
        (tmp_path / "to" / "genomics.packages.tsv").unlink()
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
    session.record(file, rocrate=str(tmp_path / "crate"))
    assert (tmp_path / "crate" / "locks" / "genomics.packages.tsv").read_text(encoding="utf-8") == packages.text


# -- notebooks of strangers --------------------------------------------------------------------------------------

NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}}


def output_of(record: object) -> str:
    output = {"output_type": "display_data", "data": {MIME_TYPE: record}}
    return json.dumps({**NOTEBOOK, "cells": [{"cell_type": "code", "execution_count": 10**400, "outputs": [output]}]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"nbformat": ' + "9" * 5_000 + "}", "is not JSON"),
        ("[]", "is not a notebook"),
        ('{"cells": []}', "is not a notebook"),
        ('{"nbformat": 3, "worksheets": []}', "is a notebook of format 3"),
        ('{"nbformat": "4"}', "is a notebook of format unknown"),
        ('{"nbformat": 4, "cells": 5}', "is a damaged notebook"),
        ('{"nbformat": 4, "cells": [5, {"outputs": 5}, {"outputs": [5, {"data": 5}]}]}', "has no records"),
        (output_of({"version": 99, "verb": "create"}), "has records of a newer format"),
        (output_of({"version": 1}), "the records of .* are damaged"),
        (output_of([1, None, "x"]), "the records of .* are damaged"),
        (output_of({"version": 1, "records": [{"version": 1, "verb": 5}]}), "the records of .* are damaged"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_in_one_line(session: Session, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "x.ipynb"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=said) as raised:
        session.record(str(file))
    assert "\n" not in raised.value.message
    assert len(raised.value.message) < 500
    assert raised.value.hint


def test_hostile_values_are_shown_as_text(session: Session, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\x1b[2J\u202e\ud800 ?sig=SECRET&x" + "y" * 10**5
    strange = {"a": [[[hostile]]], hostile: {hostile: 2**80}}
    record = {
        "version": 1, "verb": hostile, "line": hostile, "outcome": hostile, "caption": {"a": hostile},
        "arguments": strange, "connection": {"kind": hostile, "account": 10**30}, "resources": {hostile: [hostile]},
        "error": {"class": hostile, "message": hostile}, "started": "9999-12-31T23:59:59-23:59", "ended": hostile,
        "seconds": "NaN", "rows": -1, "versions": [hostile],
    }  # fmt: skip
    file = tmp_path / "x.ipynb"
    file.write_text(output_of({"version": 1, "records": [record] * 2 + [{**record, "rows": 1.5, "seconds": 1e999}]}))
    found = session.record(str(file))
    assert len(found) == 2
    shown = found._repr_mimebundle_()
    for text in (*shown.values(), found.to_csv()):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "SECRET" not in text
    assert "<script" not in shown["text/html"]
    assert len(shown["text/html"]) < 200_000
    crate = session.record(str(file), rocrate=str(tmp_path / "crate"))
    assert len(crate) == 2
    assert "SECRET" not in (tmp_path / "crate" / "ro-crate-metadata.json").read_text(encoding="utf-8")


def test_a_part_that_cannot_be_read_is_told(executed: Path, session: Session, tmp_path: Path) -> None:
    newer = changed(executed, tmp_path, lambda one: {**one, "version": 2} if one["verb"] == "create" else one)
    found = session.record(newer)
    assert list(found["verb"]) == ["lock", "delete", "nodes"]
    assert found.attrs["warnings"][0]["found"] == "2 records of a newer format than 1 not read"


# -- the crate ---------------------------------------------------------------------------------------------------


def test_a_crate_conforms_to_process_run_crate(executed: Path, session: Session, tmp_path: Path) -> None:
    """It has what the profile and RO-Crate 1.1 require; the validators that know them read them from the network."""
    session.record(str(executed), rocrate=str(tmp_path / "crate"), agent="0000-0002-1825-0097")
    folder = tmp_path / "crate"
    metadata = json.loads((folder / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    assert metadata["@context"] == "https://w3id.org/ro/crate/1.1/context"
    graph = {one["@id"]: one for one in metadata["@graph"]}
    assert len(graph) == len(metadata["@graph"])
    assert graph["ro-crate-metadata.json"]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = graph["./"]
    assert {"name", "description", "license", "datePublished", "author"} <= root.keys()
    assert root["conformsTo"] == {"@id": "https://w3id.org/ro/wfrun/process/0.5"}
    assert graph["https://w3id.org/ro/wfrun/process/0.5"]["@type"] == "CreativeWork"
    assert {one["@id"] for one in root["hasPart"]} == {
        "notebook.ipynb",
        "locks/genomics.lock.toml",
        "locks/genomics.packages.tsv",
    }
    assert (folder / "notebook.ipynb").read_bytes() == executed.read_bytes()
    assert (folder / "locks/genomics.lock.toml").read_bytes() == executed.with_name("genomics.lock.toml").read_bytes()
    actions = [graph[one["@id"]] for one in root["mentions"]]
    assert [one["name"] for one in actions] == [
        "create genomics", "create imaging", "lock genomics", "delete genomics", "nodes nope",
    ]  # fmt: skip
    for action in actions:
        assert action["@type"] == "CreateAction"
        assert graph[action["instrument"]["@id"]]["@type"] == "SoftwareApplication"
        assert graph[action["agent"]["@id"]]["@type"] == "Person"
        assert action["startTime"] <= action["endTime"]
        assert action["startTime"].endswith("+00:00")
        for name in ("object", "result"):
            found = action[name] if isinstance(action[name], list) else [action[name]]
            assert {graph[one["@id"]]["@type"] for one in found} <= {"File", "PropertyValue"}
    assert [one["actionStatus"].rpartition("/")[2] for one in actions[3:]] == [
        "CompletedActionStatus", "FailedActionStatus",
    ]  # fmt: skip
    assert "error" in actions[4]
    assert {"@id": "locks/genomics.lock.toml"} in actions[2]["result"]
    ids = {value["@id"] for one in metadata["@graph"] for value in _references(one)}
    assert ids <= graph.keys() | {"https://w3id.org/ro/crate/1.1"}


def _references(entity: dict[str, Any]) -> list[dict[str, str]]:
    return [
        one
        for value in entity.values()
        for one in (value if isinstance(value, list) else [value])
        if isinstance(one, dict) and set(one) == {"@id"}
    ]


def test_nobody_is_named_in_a_crate_unless_given_and_it_is_the_same_each_time(
    executed: Path, session: Session, tmp_path: Path
) -> None:
    texts = []
    for name in ("a", "b"):
        session.record(str(executed), rocrate=str(tmp_path / name))
        texts.append((tmp_path / name / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    assert "Person" not in texts[0]
    assert str(executed.parent) not in texts[0]


def test_a_folder_with_files_is_not_written_into(executed: Path, session: Session, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for folder, said in ((tmp_path, "is not empty"), (tmp_path / "mine.txt", "is a file"), (tmp_path / "a/b", "exist")):
        with pytest.raises(SpecError, match=said):
            session.record(str(executed), rocrate=str(folder))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mine.txt"]
    session.record(str(executed), rocrate=str(tmp_path), force=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    with pytest.raises(SpecError, match="agent is for rocrate"):
        session.record(str(executed), agent="x")
    with pytest.raises(SpecError, match="license"):
        session.record(str(executed), rocrate=str(tmp_path / "c"), license_url="MIT")


def test_without_the_extra_it_names_the_command(
    executed: Path, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rocrate.rocrate", None)
    with pytest.raises(SpecError) as raised:
        session.record(str(executed), rocrate=str(tmp_path / "crate"))
    assert raised.value.hint == "pip install 'batchimg_magics[rocrate]'"


def test_the_command_line_reads_it(executed: Path) -> None:
    command = [sys.executable, "-m", "batchimg_magics", "record", str(executed), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [row["verb"] for row in json.loads(done.stdout)] == ["create", "create", "lock", "delete", "nodes"]
