"""Files of nodes and tasks on the data plane, and the upload of node logs.

A start task runs in the shell of the emulator, and its files are here. No command of a task is executed, so that there
are only its output files, which say so; and the log files of mounts.

Source: Microsoft's OpenAPI (2024-02-01.19.0) for the formats and the ``ocp-`` headers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from batchimg_magics.emulator.batch.fleet.command_output import command_output
from batchimg_magics.emulator.batch.fleet.node_times import ALLOCATION_TIMES
from batchimg_magics.emulator.batch.model import accounts, start_task_runs, task_results, task_scheduling, task_states
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
    from batchimg_magics.emulator.batch.fleet.commands import CommandResult
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
evidence.rule(
    "Files of a node that is not idle, running, offline, waiting for its start task, or failed in it, are refused with "
    "NodeNotReady.",
    "users report the code for nodes that are leaving; the node itself serves its files",
)
evidence.rule(
    "A range of a file that begins after its end is refused with InvalidRange, and one that is not "
    "bytes=start-end with InvalidHeaderValue.",
    "OpenAPI has the format only; the REST reference has the codes",
)
evidence.rule(
    "The log file of a mount has one line.",
    "the documents have its name, <type>-<mountDirOrDrive>.log, and not what is in it",
)
evidence.rule(
    "The names of files on Windows nodes are listed with backslashes, and both slashes are accepted.",
    "the examples of the REST reference have backslashes, with a task that writes below wd",
)
#: The states of nodes that serve their files.
_SERVING = frozenset({"idle", "running", "offline", "waitingforstarttask", "starttaskfailed"})
_RANGE = re.compile(r"bytes=(?P<first>\d{1,18})-(?P<last>\d{1,18})")
#: Member of a mount configuration -> the type in the name of its log file.
_MOUNTS = {
    "azureBlobFileSystemConfiguration": "azblob",
    "azureFileShareConfiguration": "fshare",
    "cifsMountConfiguration": "cifs",
    "nfsMountConfiguration": "nfs",
}
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


def _outputs(where: str, command: str, result: CommandResult, exit_code: int | None, written: float) -> list[File]:
    """Return the output files of a command: their directory, the command, its result, its exit code (None: it runs)."""
    output, errors = command_output(command, result, exit_code)
    return [File(f"{where}stderr.txt", written, errors), File(f"{where}stdout.txt", written, output)]


def _mount_logs(pool: Pool, written: float) -> list[File]:
    """Return the log files of the file systems that the nodes of a pool mount."""
    machine = pool.doc.get("virtualMachineConfiguration") or {}
    mounts = pool.doc.get("mountConfiguration") or machine.get("mountConfiguration") or []
    found = []
    for mount in mounts:
        for member, kind in _MOUNTS.items():
            if (share := mount.get(member)) is not None:
                path = str(share.get("relativeMountPath", "")).strip("/").replace("/", "_")
                name = f"fsmounts/{kind}-{path}.log"
                found.append(File(name, written, f"{kind} mount of {share.get('relativeMountPath')}: done\n"))
    return found


def _node_files(call: Call, pool: Pool, node: Node) -> list[File]:
    if node.booted is None:
        return []  # it is in a state that serves none
    found = [File(name, node.booted) for name in ("applications", "fsmounts", "shared", "startup", "workitems")]
    if (task := pool.doc.get("startTask")) is not None:
        found += _start_task_files(call, pool, task, node, node.booted)
    found += _mount_logs(pool, node.booted)
    for item, state in task_scheduling.node_tasks(call.store, pool, node.id, call.now):
        if state.state(call.now) != "preparing":
            found += _task_files(call, pool, _task_folder(item), item, state)
    return sorted(found, key=lambda file: file.path)


def _start_task_files(call: Call, pool: Pool, task: dict[str, Any], node: Node, written: float) -> list[File]:
    """Return the outputs of a start task and the files that it wrote."""
    program_s = ALLOCATION_TIMES.start_task_s
    result = task_results.start_task_result(call.store, call.now, pool, task, program_s)
    run = task_results.start_task_run(task, result, node, call.now)
    code = None if run.ended is None else run.exit_code
    done = start_task_runs.run_start_task(call.store, call.now, pool, task, program_s, node.id)
    outputs = _outputs("startup/", task["commandLine"], result, code, written)
    if done is None or code is None or code != done.exit_code:  # it runs, or a scenario ended it
        return outputs
    if done.whole:
        outputs = [File("startup/stderr.txt", written, done.stderr), File("startup/stdout.txt", written, done.stdout)]
    files = [File(path.rstrip("/"), written, None if path.endswith("/") else text) for path, text in done.files]
    return outputs + [one for one in files if one.path not in ("startup/stdout.txt", "startup/stderr.txt")]


def _task_files(call: Call, pool: Pool | None, where: str, item: Item, state: task_states.TaskState) -> list[File]:
    """Return the files of a task: those that it wrote if it really ran, otherwise what its text tells."""
    base = call.store.task_folder
    account = state.pool.rpartition("/pools/")[0].rpartition("/")[2]
    folder = base and base / account / state.pool.rpartition("/")[2] / str(state.node) / _task_folder(item)
    if folder is None or not folder.is_dir():
        return _task_outputs(call, pool, where, item, state)
    found = []
    for path in sorted(folder.rglob("*")):
        name = f"{where}{path.relative_to(folder)}"
        written = state.started or call.now
        if path.is_file() and not path.is_symlink():
            found.append(File(name, written, path.read_bytes().decode(errors="replace")))
        elif path.is_dir():
            found.append(File(name, written))
    return found


def _task_outputs(call: Call, pool: Pool | None, where: str, item: Item, state: task_states.TaskState) -> list[File]:
    code = state.exit_code if state.state(call.now) == "completed" else None
    result = task_results.task_result(call.store, call.now, pool, item.doc, 0.0)  # its duration does not matter here
    return _outputs(where, item.doc["commandLine"], result, code, state.started or call.now)


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
    if node.state not in _SERVING:
        raise refusal("NodeNotReady", ("Reason", f"The node is {node.state}"))
    return _present(call, f"{pool.key}/nodes/{node.id}", _node_files(call, pool, node))


def _of_task(call: Call) -> list[File]:
    _, item, state = tasks.load(call)
    if state.state(call.now) in ("active", "preparing"):
        return []
    files = _task_files(call, None, "", item, state)
    return _present(call, f"{state.pool}/nodes/{state.node}", files, _task_folder(item))


def _task_folder(item: Item) -> str:
    """Return the directory of a task on its node."""
    job = item.key.split("/jobs/")[1].split("/")[0]
    return f"workitems/{job}/job-1/{item.doc['id']}/"


def _delete(call: Call, node: str, files: list[File], below: str = "") -> Reply:
    """Delete a file or a directory on a node; a directory with contents only with ``recursive``."""
    path = _path(call)
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


def _path(call: Call) -> str:
    """Return the path in a request, in lower case and with slashes."""
    return call.params["path"].replace("\\", "/").strip("/").lower()


def _list(call: Call, files: list[File]) -> Reply:
    deep = call.query.get("recursive", "false").lower() == "true"
    shown = [file for file in files if deep or not {"/", "\\"} & set(file.path)]
    return paging.page(call, "files", (_view(call, file) for file in shown), key=lambda row: str(row["name"]))


def _read(call: Call, files: list[File]) -> Reply:
    """Answer with one file, or a range of it."""
    path = _path(call)
    file = next((file for file in files if file.path.lower() == path), None)
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
    return Reply(200, content if file.text is None else _range(call, content), headers)


def _range(call: Call, content: bytes) -> bytes:
    """Return the requested range of a file: both ends are part of it, and it ends with the file at the latest."""
    text = call.headers.get("ocp-range") if call.method == "GET" else None
    if not text:
        return content
    match = _RANGE.fullmatch(text.strip())
    if match is None or int(match["first"]) > int(match["last"]):
        raise refusal("InvalidHeaderValue", ("HeaderName", "ocp-range"), ("HeaderValue", text))
    if int(match["first"]) >= max(1, len(content)):
        raise refusal("InvalidRange")
    return content[int(match["first"]) : int(match["last"]) + 1]


@routes.on("GET", _OF_NODE + "/files")
def list_node_files(call: Call) -> Reply:
    """List a node's files."""
    _, pool = load(call)
    files = _of_node(call)
    if nodes.os_of(pool) == "windows":
        files = [msgspec.structs.replace(file, path=file.path.replace("/", "\\")) for file in files]
    return _list(call, files)


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
