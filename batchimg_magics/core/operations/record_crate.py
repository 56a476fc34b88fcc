"""Export the records of a notebook as a Process Run Crate, a profile of RO-Crate for the runs of programs.

Source: Workflow Run RO-Crate, Process Run Crate 0.5, which extends RO-Crate 1.1.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchimg_magics.core.lock import lock_file
from batchimg_magics.errors import SpecError
from batchimg_magics.masking import make_visible

if TYPE_CHECKING:
    from rocrate.model.entity import Entity
    from rocrate.rocrate import ROCrate

    from batchimg_magics.core.base.records import Record
    from batchimg_magics.core.operations.notebook_records import CellRecord, NotebookRecords
    from batchimg_magics.core.operations.record_lock import RebuiltLock

__all__ = ["check_crate", "write_crate"]

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
#: Where the releases of a distribution are, which name it for others.
_RELEASE = "https://pypi.org/project/{name}/{version}/"
_ORCID = re.compile(r"(?:https://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")
_STATUS = {
    "done": "http://schema.org/CompletedActionStatus",
    "dry run": "http://schema.org/CompletedActionStatus",
    "failed": "http://schema.org/FailedActionStatus",
}
#: What such an action did not do, whatever its verb says.
_NOTES = {
    "dry run": "dry run: nothing was changed",
    "withheld": "nothing was done: it was not confirmed with --yes",
    "detached": "it went on without the notebook",
}


def check_crate(folder: str, *, force: bool) -> None:
    """Check before anything is written that the library is there, and that the folder is new or may be written into.

    Raises
    ------
    SpecError
        It is not so.
    """
    try:
        import rocrate.rocrate  # noqa: F401 - an extra, which may be missing
    except ImportError:
        raise SpecError("--rocrate needs the package rocrate", hint="pip install 'batchimg_magics[rocrate]'") from None
    target = Path(folder).expanduser()
    try:
        if target.exists() and not target.is_dir():
            raise SpecError(f"{make_visible(folder)} is a file", hint="give --rocrate a folder")
        if target.is_dir() and not force and any(target.iterdir()):
            raise SpecError(f"{make_visible(folder)} is not empty", hint="give --force to write into it, or another")
        if not target.absolute().parent.is_dir():
            raise SpecError(
                f"{make_visible(folder)} cannot be created: its folder does not exist", hint="create the folder first"
            )
    except (OSError, ValueError) as error:
        if isinstance(error, SpecError):
            raise
        raise _cannot_write(folder, error) from error


def write_crate(
    read: NotebookRecords,
    locks: list[RebuiltLock],
    folder: str,
    *,
    agent: str | None,
    license_url: str | None,
    force: bool,
) -> None:
    """Write the crate of a notebook: the notebook itself, its lock files, and an action for each result.

    Parameters
    ----------
    read, locks
        The records of the notebook, and its locks.
    folder
        The folder; it appears when it is complete.
    agent
        Who ran it: a name, an ORCID or another URL; None: nobody is named.
    license_url
        The URL of the licence of the crate; None: none is stated.
    force
        Whether files of an existing folder are replaced.

    Raises
    ------
    SpecError
        It cannot be written.
    """
    crate = _Crate(read, agent, license_url).build(locks)
    target = Path(folder).expanduser().absolute()
    try:
        with tempfile.TemporaryDirectory(prefix=".batchimg-", dir=target.parent) as temporary:
            complete = Path(temporary) / "crate"
            crate.write(complete)
            if target.exists() and any(target.iterdir()):
                if not force:
                    raise SpecError(f"{make_visible(folder)} is not empty", hint="give --force to write into it")
                shutil.copytree(complete, target, dirs_exist_ok=True)
            else:
                complete.replace(target)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _cannot_write(folder: str, error: Exception) -> SpecError:
    reason = getattr(error, "strerror", None) or str(error)
    return SpecError(f"{make_visible(folder)} cannot be written: {reason}", hint="give --rocrate another folder")


class _Crate:
    """Makes the entities of a crate.

    Parameters
    ----------
    read, agent, license_url
        As for `write_crate`.
    """

    def __init__(self, read: NotebookRecords, agent: str | None, license_url: str | None) -> None:
        from rocrate.rocrate import ROCrate

        self._read = read
        self._given_license = license_url
        self._crate: ROCrate = ROCrate(version="1.1")
        self._agent = None if agent is None else self._person(agent)

    def build(self, locks: list[RebuiltLock]) -> ROCrate:
        """Return the crate."""
        crate, file = self._crate, Path(self._read.file).expanduser()
        times = [one.record.ended for one in self._read.found if one.record.ended is not None]
        crate.datePublished = max(times, default=dt.datetime.now(dt.UTC))
        crate.name = f"Run of {make_visible(file.name)}"
        crate.description = (
            "An executed notebook that creates images and pools of Azure Batch, with what each of its commands did."
        )
        crate.root_dataset["license"] = self._license()
        if self._agent is not None:
            crate.root_dataset["author"] = self._agent
        crate.root_dataset["conformsTo"] = self._entity(
            PROFILE, "CreativeWork", name="Process Run Crate", version="0.5"
        )
        notebook = crate.add_file(
            file, "notebook.ipynb",
            properties={"name": make_visible(file.name), "encodingFormat": "application/x-ipynb+json"},
        )  # fmt: skip
        last = self._read.locks()
        made = {id(last[one.pool.lower()]): self._lock_files(one) for one in locks}
        crate.root_dataset["mentions"] = [
            self._action(number, one, made.get(id(one), [notebook]), notebook)
            for number, one in enumerate(self._read.found, 1)
        ]
        return crate

    def _entity(self, identifier: str, kind: str, **properties: Any) -> Entity:
        """Return an entity that is no file; the same for the same id."""
        from rocrate.model.contextentity import ContextEntity

        known = self._crate.get(identifier)
        return known or self._crate.add(ContextEntity(self._crate, identifier, {"@type": kind, **properties}))

    def _value(self, identifier: str, name: str, value: str) -> Entity:
        return self._entity(identifier, "PropertyValue", name=name, value=value)

    def _person(self, agent: str) -> Entity:
        text = make_visible(agent).strip()
        if (orcid := _ORCID.fullmatch(text)) is not None:
            return self._entity(f"https://orcid.org/{orcid[1]}", "Person", name=orcid[1])
        return self._entity(text if text.startswith("https://") else "#agent", "Person", name=text)

    def _license(self) -> Entity:
        """Return the licence, which a crate must have."""
        if self._given_license:
            url = make_visible(self._given_license)
            return self._entity(url, "CreativeWork", name=url)
        text = "The notebook states no licence. Ask its authors before you use it."
        return self._entity("#license", "CreativeWork", name="No licence stated", description=text)

    def _lock_files(self, lock: RebuiltLock) -> list[Entity]:
        """Return the lock file of a pool, and the file with the packages of its image where that is known."""
        files = [(lock_file.file_name(lock.pool), lock.text, f"lock of pool {lock.pool}", "application/toml")]
        if lock.packages:
            about = f"packages in the image of pool {lock.pool}"
            files.append((lock.packages_file, lock.packages, about, "text/tab-separated-values"))
        return [
            self._crate.add_file(
                io.BytesIO(text.encode()), f"locks/{name}", properties={"name": about, "encodingFormat": kind}
            )
            for name, text, about, kind in files
        ]

    def _tool(self, record: Record) -> Entity:
        """Return the application that ran, with the packages that it sent requests with."""
        versions = {**record.versions}
        version = versions.pop("batchimg_magics", "unknown")
        identifier = _release("batchimg-magics", version)
        if (known := self._crate.get(identifier)) is not None:
            return known
        return self._entity(
            identifier, "SoftwareApplication", name="batchimg_magics", softwareVersion=version, url=identifier,
            softwareRequirements=[
                self._entity(url, "SoftwareApplication", name=name, softwareVersion=number, url=url)
                for name, number in versions.items()
                for url in (_release(name, number),)
            ],
        )  # fmt: skip

    def _action(self, number: int, one: CellRecord, results: list[Entity], notebook: Entity) -> Entity:
        record = one.record
        identifier = f"#result-{number}"
        where = " ".join(f"{name} {value}" for name, value in record.connection.items())
        what = " ".join((record.verb, *record.pools))
        notes = [f"cell {one.cell}: {record.line or record.verb}", record.caption, _NOTES.get(record.outcome, "")]
        given = {
            "name": what,
            "description": "; ".join(filter(None, notes)),
            "instrument": self._tool(record),
            "object": [
                notebook,
                *([self._value(f"#connection-{where}", "connection", where)] if where else ()),
                *(self._value(f"{identifier}-{name}", name, text) for name, text in record.arguments.items() if text),
            ],
            "result": [
                *results,
                *(self._value(f"#resource-{text}", role, text) for role, text in record.resources.items() if text),
            ],
            "startTime": _time(record.started),
            "endTime": _time(record.ended),
            "actionStatus": _STATUS.get(record.outcome),
            "agent": self._agent,
            "error": record.error.get("message") if record.outcome == "failed" else None,
        }
        return self._entity(identifier, "CreateAction", **{name: _single(one) for name, one in given.items() if one})


def _release(name: str, version: str) -> str:
    from urllib.parse import quote

    if name == "python":
        return f"https://www.python.org/downloads/release/python-{quote(version.replace('.', ''), safe='')}/"
    return _RELEASE.format(name=quote(name, safe=""), version=quote(version, safe=""))


def _single(value: Any) -> Any:  # noqa: ANN401 - text, an entity, or several
    """Return the value of a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _time(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")
