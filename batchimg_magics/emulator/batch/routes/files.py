"""Files of nodes and tasks on the data plane, and the upload of node logs.

No command is executed in the emulator, so there are only the output files of start tasks and tasks, which say so.

Source: Microsoft's OpenAPI (2024-02-01.19.0) for the formats and the ``ocp-`` headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from batchimg_magics.emulator.batch.fleet.node_times import ALLOCATION_TIMES
from batchimg_magics.emulator.batch.model import accounts, task_results, task_scheduling
from batchimg_magics.emulator.batch.rest import paging
from batchimg_magics.emulator.batch.rest.bodies import checked_body
from batchimg_magics.emulator.batch.rest.errors import missing_property, refusal
from batchimg_magics.emulator.batch.routes import nodes, tasks
from batchimg_magics.emulator.batch.routes.pools import load
from batchimg_magics.emulator.http.dates import batch_timestamp, header_date, ticks
from batchimg_magics.emulator.http.messages import Reply, Routes
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.fleet.nodes import Node
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.http.messages import Call

routes = Routes("batch")
_OF_NODE = "/pools/{pool}/nodes/{node}"
_OF_TASK = "/jobs/{job}/tasks/{task}"
evidence = Evidence("Files of nodes and tasks")
DELETED = f"{accounts.KIND}/deletedfiles"
evidence.rule(
    "The deletion of a directory with contents without recursive=true is refused with IOError.",
    "OpenAPI says only that it fails",
)
LOG_FILES = evidence.assumed(8, "files", "in the response to an upload of node logs", "no recording shows one")


class File(msgspec.Struct, frozen=True):
    """A file, or a directory, whose `text` is None.

    Parameters
    ----------
    path
        Its name, relative to the node or task.
    written
        When it was written, in seconds since 1970.
    text
        Its contents.
    """

    path: str
    written: float
    text: str | None = None


def _outputs(where: str, command: str, exit_code: int | None, written: float) -> list[File]:
    """Return the output files of a command: their directory, the command, its exit code (None: it runs)."""
    status = "is running" if exit_code is None else f"exited with {exit_code}"
    note = f"The emulator executes no commands. It assumes that this command {status}:\n{command}\n"
    errors = "" if exit_code in (None, 0) else f"exit code {exit_code}\n"
    return [File(f"{where}stderr.txt", written, errors), File(f"{where}stdout.txt", written, note)]


def _node_files(call: Call, pool: Pool, node: Node) -> list[File]:
    if node.booted is None:
        return []
    found = [File(name, node.booted) for name in ("applications", "fsmounts", "shared", "startup", "workitems")]
    if (task := pool.doc.get("startTask")) is not None:
        result = task_results.task_result(call.store, call.now, pool, task, ALLOCATION_TIMES.start_task_s)
        run = task_results.start_task_run(task, result, node, call.now)
        code = None if run.ended is None else run.exit_code
        found += _outputs("startup/", task["commandLine"], code, node.booted)
    for item, state in task_scheduling.pool_tasks(call.store, pool):
        if state.node == node.id and state.started is not None and state.started <= call.now:
            found += _task_outputs(_task_folder(item), item.doc["commandLine"], state, call.now)
    return sorted(found, key=lambda file: file.path)


def _task_outputs(where: str, command: str, state: task_scheduling.TaskState, now: float) -> list[File]:
    code = state.exit_code if state.state(now) == "completed" else None
    return _outputs(where, command, code, state.started or now)


def _deleted(call: Call, node: str) -> dict[str, float]:
    """Return when paths on a node, given by its key, were deleted."""
    item = call.store.get(f"{node}/deletedfiles")
    return item.doc["paths"] if item is not None else {}


def _present(call: Call, node: str, files: list[File], below: str = "") -> list[File]:
    """Return those of the files on a node that were not deleted since they were written."""
    deleted = _deleted(call, node)
    if not deleted:
        return files
    return [file for file in files if not _is_deleted(deleted, f"{below}{file.path}".lower(), file.written)]


def _is_deleted(deleted: dict[str, float], path: str, written: float) -> bool:
    return any(written <= at and f"{path}/".startswith(f"{gone}/") for gone, at in deleted.items())


def _of_node(call: Call) -> list[File]:
    _, pool = load(call)
    node = nodes.need(call, pool)
    return _present(call, f"{pool.key}/nodes/{node.id}", _node_files(call, pool, node))


def _of_task(call: Call) -> list[File]:
    _, item, state = tasks.load(call)
    if state.started is None or state.state(call.now) == "active":
        return []
    files = _task_outputs("", item.doc["commandLine"], state, call.now)
    return _present(call, f"{state.pool}/nodes/{state.node}", files, _task_folder(item))


def _task_folder(item: Item) -> str:
    """Return the directory of a task on its node."""
    job = item.key.split("/jobs/")[1].split("/")[0]
    return f"workitems/{job}/job-1/{item.doc['id']}/"


def _delete(call: Call, node: str, files: list[File], below: str = "") -> Reply:
    """Delete a file or a directory on a node; a directory with contents only with ``recursive``."""
    path = call.params["path"].strip("/").lower()
    inside = [file for file in files if file.path.lower().startswith(f"{path}/")]
    if not inside and not any(file.path.lower() == path for file in files):
        raise refusal("FileNotFound")
    if inside and call.query.get("recursive", "false").lower() != "true":
        raise refusal("IOError", ("Reason", "The directory is not empty"))
    paths = _deleted(call, node) | {f"{below}{path}".lower(): call.now}
    call.store.put(Item(f"{node}/deletedfiles", DELETED, {"paths": paths}))
    return Reply(200)


def _view(call: Call, file: File) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": file.path,
        "url": f"{call.base}{call.path.rstrip('/')}/{quote(file.path, safe='')}",
        "isDirectory": file.text is None,
    }
    if file.text is not None:
        moment = batch_timestamp(file.written)
        size = len(file.text.encode())
        kind = "text/plain"
        shown["properties"] = {
            "creationTime": moment,
            "lastModified": moment,
            "contentLength": str(size),
            "contentType": kind,
            "fileMode": "0o100644",
        }
    return shown


def _list(call: Call, files: list[File]) -> Reply:
    deep = call.query.get("recursive", "false").lower() == "true"
    shown = [file for file in files if deep or "/" not in file.path]
    return paging.page(call, "files", (_view(call, file) for file in shown), key=lambda row: str(row["name"]))


def _read(call: Call, files: list[File]) -> Reply:
    """Answer with one file, or a range of it."""
    path = call.params["path"]
    file = next((file for file in files if file.path.lower() == path.lower()), None)
    if file is None:
        raise refusal("FileNotFound")
    content = (file.text or "").encode()
    headers = {
        "Content-Type": "text/plain",
        "Last-Modified": header_date(ticks(file.written)),
        "ocp-creation-time": header_date(ticks(file.written)),
        "ocp-batch-file-isdirectory": str(file.text is None),
        "ocp-batch-file-url": quote(f"{call.base}{call.path}", safe=":/%"),
        "ocp-batch-file-mode": "0o100644",
    }
    return Reply(200, content, headers)


@routes.on("GET", _OF_NODE + "/files")
def list_node_files(call: Call) -> Reply:
    """List a node's files."""
    return _list(call, _of_node(call))


@routes.on("GET", _OF_NODE + "/files/{path}")
def read_node_file(call: Call) -> Reply:
    """Answer with a file of a node."""
    return _read(call, _of_node(call))


@routes.on("HEAD", _OF_NODE + "/files/{path}")
def node_file_properties(call: Call) -> Reply:
    """Answer with the properties of a file of a node."""
    return _read(call, _of_node(call))


@routes.on("DELETE", _OF_NODE + "/files/{path}")
def delete_node_file(call: Call) -> Reply:
    """Delete a file of a node."""
    files = _of_node(call)
    _, pool = load(call)
    return _delete(call, f"{pool.key}/nodes/{nodes.need(call, pool).id}", files)


@routes.on("GET", _OF_TASK + "/files")
def list_task_files(call: Call) -> Reply:
    """List a task's files."""
    return _list(call, _of_task(call))


@routes.on("GET", _OF_TASK + "/files/{path}")
def read_task_file(call: Call) -> Reply:
    """Answer with a file of a task."""
    return _read(call, _of_task(call))


@routes.on("HEAD", _OF_TASK + "/files/{path}")
def task_file_properties(call: Call) -> Reply:
    """Answer with the properties of a file of a task."""
    return _read(call, _of_task(call))


@routes.on("DELETE", _OF_TASK + "/files/{path}")
def delete_task_file(call: Call) -> Reply:
    """Delete a file of a task."""
    files = _of_task(call)
    _, item, state = tasks.load(call)
    return _delete(call, f"{state.pool}/nodes/{state.node}", files, _task_folder(item))


@routes.on("POST", _OF_NODE + "/uploadbatchservicelogs")
def upload_logs(call: Call) -> Reply:
    """Answer to the upload of node logs; the emulator has no storage."""
    _, pool = load(call)
    node = nodes.need(call, pool)
    body = checked_body(call.body)
    for name in ("containerUrl", "startTime"):
        if name not in body:
            raise missing_property(name)
    count = LOG_FILES if node.booted is not None else 0
    folder = f"{pool.name}/{node.id}/{call.store.new_guid('logs')}"
    metadata = f"{call.base}/$metadata#uploadbatchservicelogsresult"
    return Reply(200, {"odata.metadata": metadata, "virtualDirectoryName": folder, "numberOfFilesUploaded": count})
