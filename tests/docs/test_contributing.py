"""Follow CONTRIBUTING.md: add one of each thing to a copy of the package, in the files that its table names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Edit = Callable[[str], str]

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
#: Kind of thing -> its row: the files to edit, the documentation, the tests.
ROWS = {
    cells[0]: cells[1:]
    for line in PAGE.splitlines()
    if line.startswith("| a")
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}
#: Generated page -> the module that writes it.
GENERATORS = {
    "docs/reference.md": "docs.generate.reference",
    "session/methods.pyi": "docs.generate.session_stub",
    "docs/rules.md": "docs.generate.rules",
    "docs/coverage.md": "docs.generate.coverage",
    "docs/assumed.md": "docs.generate.assumptions",
}


def append(text: str) -> Edit:
    """Return an edit that adds text to the end of a file, which may be new."""
    return lambda old: f"{old}\n\n{text}" if old else text


def insert(*pairs: tuple[str, str]) -> Edit:
    """Return an edit that inserts a text after each place: a regular expression that has to match."""

    def edit(old: str) -> str:
        for place, text in pairs:
            found = re.search(place, old)
            assert found is not None, place
            old = old[: found.end()] + text + old[found.end() :]
        return old

    return edit


@dataclass(frozen=True)
class Addition:
    """One thing to add.

    Parameters
    ----------
    edits
        The files as CONTRIBUTING.md names them -> how each is edited.
    check
        A program that fails unless the thing is there.
    named
        What stands for ``NAME`` and ``SUBJECT``.
    in_page
        A text that the generated pages then have.
    """

    edits: Mapping[str, Edit]
    check: str
    named: str = "added"
    in_page: str = "added"


RULE = '''
from batchimg_magics.core.checks.rules.rule import passed, rule


@rule("added-rule", "warning", "a source")
def added(facts):
    """An added rule is kept."""
    return passed("it is kept")
'''
ROUTE = '''"""An added route."""

from batchimg_magics.emulator.http.messages import Reply, Routes

routes = Routes("arm")


@routes.on("GET", "/subscriptions/{{subscription}}/providers/Microsoft.{provider}/added")
def get_added(call):
    """Answer."""
    return Reply(200, {{"added": True}})
'''
ROUTE_FOLDERS = {"batch/routes": "Batch", "compute/routes": "Compute", "network": "Network", "services": "Resources"}
CHECK_ROUTES = f"""
from batchimg_magics.emulator.app import create_app

app = create_app()
for provider in {sorted(ROUTE_FOLDERS.values())}:
    url = f"https://management.azure.com/subscriptions/s/providers/Microsoft.{{provider}}/added?api-version=2024-03-01"
    answer = app.answer("GET", url, {{"authorization": "Bearer any"}})
    assert answer.body == b'{{"added":true}}', answer
"""
CHECK_OPTION = """
from batchimg_magics import Session
from batchimg_magics.ui.cli import main

assert main({words}) == 0
with Session() as session:
    session.{call}
"""
ORIGIN = '''"""An added image source: a copy of a VM."""

from batchimg_magics.core.compute.virtual_machines import find_vm
from batchimg_magics.core.images.origins import vm_copy


async def find(azure, spec):
    """Return the image source."""
    return await vm_copy.find(azure, await find_vm(azure, spec.from_added), spec)
'''
VERB = '''"""The verb ``added``."""

from batchimg_magics.verbs.verb import Verb


def start(connection):
    """Return the work of the verb."""
    from batchimg_magics.core.operations import added

    return lambda _: added.list_added(connection.azure)


VERB = Verb("added", "List an added thing", (), ("added",), start, returns="One row.")
'''
OPERATION = '''"""An added operation."""

from batchimg_magics.core.base.table import Table


async def list_added(azure):
    """Return one row."""
    return Table.from_rows("added", [{"account": azure.scope.account}], "added")
'''
ADDITIONS = {
    "a rule": Addition(
        {"core/checks/rules/SUBJECT.py": append(RULE)},
        """
from batchimg_magics import Session

with Session() as session:
    assert "added-rule" in list(session.check("prep-vm", vm_size="Standard_D2s_v5", all=True).rule)
""",
        named="disks",
        in_page="An added rule is kept",
    ),
    "a verb": Addition(
        {
            "verbs/NAME.py": append(VERB),
            "core/operations/NAME.py": append(OPERATION),
            "core/base/schemas.py": insert(
                (r"\nSCHEMAS: .* = \{\n", '"added": (Column("account", "text", "name of the account"),),\n')
            ),
        },
        """
import io
from contextlib import redirect_stdout

from batchimg_magics import Session
from batchimg_magics.ui.cli import main

for words in (["help"], ["help", "added"], ["added"]):
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main(words) == 0
    assert "added" in printed.getvalue().lower()
with Session() as session:
    assert list(session.added().account) == ["genomicsbatch"]
""",
        in_page="List an added thing",
    ),
    "an option of a verb": Addition(
        {
            "verbs/NAME.py": insert(
                (r"\ndef start\(connection: Connection, name: str \| None = None, \*,", " added: str | None = None,"),
                (r"(?s)\nVERB = .*?optional=True\),\n", 'Option("--added", "Set the added option", metavar="WORD"),\n'),
            )
        },
        CHECK_OPTION.format(words=["history", "--added", "word"], call='history(added="word")'),
        named="history",
        in_page="the added option",
    ),
    "an option of the pool": Addition(
        {
            "verbs/node_options.py": insert(
                (r"\nNODE_OPTIONS: .* = \(\n", 'Option("--added", "Set the added option", metavar="WORD"),\n')
            ),
            "pool_spec/node.py": insert((r"\n(?=    task_slots: )", "    added: str | None = None\n")),
            "core/batch/pool_request.py": insert(
                (r"\n        \"taskSlotsPerNode\": .*\n", '"displayName": spec.added,\n')
            ),
        },
        CHECK_OPTION.format(
            words=["create", "p", "--from-vm", "prep-vm", "--vm-size", "Standard_D2s_v5", "--added", "word"],
            call='create("p", from_vm="prep-vm", vm_size="Standard_D2s_v5", added="word")',
        )
        + """
from batchimg_magics.core.batch import pools

with Session() as session:
    session.create("p", from_vm="prep-vm", vm_size="Standard_D2s_v5", added="word")
    assert session.call(lambda azure: pools.read_cached(azure, "p"))["properties"]["displayName"] == "word"
""",
        in_page="the added option",
    ),
    "an outcome of a resize": Addition(
        {
            "core/base/outcomes.py": insert((r"(?=\n    DONE = )", '\n    ADDED = _Entry("added", "an added text")')),
            "core/base/causes.py": insert(
                (
                    r"(?<=CAUSES: tuple\[Cause, \.\.\.\] = \()",
                    '\n    Cause("an added cause", OutcomeClass.ADDED, "a fix", _BATCH, ("addedcode",)),',
                )
            ),
        },
        """
from batchimg_magics.core.base.schemas import OUTCOMES
from batchimg_magics.core.scaling.outcomes import classify
from batchimg_magics.ui.panel.attempts_section import outcome_text

assert "added" in OUTCOMES
assert classify([("AddedCode", "message", "")]).kind == "added"
assert "an added text" in outcome_text({"class": "added", "message": "message", "action": "stop"})
""",
    ),
    "a route of the emulator": Addition(
        {
            f"emulator/{folder}/SUBJECT.py": append(ROUTE.format(provider=name))
            for folder, name in ROUTE_FOLDERS.items()
        },
        CHECK_ROUTES,
        in_page="Microsoft.Compute/added",
    ),
    "a column": Addition(
        {
            "core/base/schemas.py": insert((r'"vms": \(\n', 'Column("added", "text", "an added column"),\n')),
            "core/operations/NAME.py": insert((r'"vm": vm\["name"\],', '"added": vm["name"],')),
        },
        """
from batchimg_magics import Session

with Session() as session:
    found = session.vms()
    assert list(found.added) == list(found.vm)
""",
        named="vms",
        in_page="an added column",
    ),
    "a field of the lock": Addition(
        {
            "core/lock/facts.py": insert((r'"tool": \{', '"added": "yes", ')),
            "core/lock/fields.py": insert(
                (
                    r"\nFIELDS: .* = \(\n",
                    'Field("tool.added", "an added field", comparisons.same, "another one", "-"),\n',
                )
            ),
        },
        """
from pathlib import Path
from batchimg_magics import Session

with Session() as session:
    session.create("p", from_vm="prep-vm", vm_size="Standard_D2s_v5")
    session.lock("p", "p.lock.toml")
    file = Path("p.lock.toml")
    assert (session.verify(str(file)).status == "ok").all()
    file.write_text(file.read_text().replace('added = "yes"', 'added = "no"'))
    found = session.verify(str(file))
    assert list(found[found.status != "ok"].field) == ["tool.added"]
""",
    ),
    "a scenario": Addition(
        {
            "emulator/http/scenarios.py": insert(
                (r"\nSCENARIOS: .* = \{\n", '"added": Scenario("it fails", faults=(Fault(status=403, times=None),)),\n')
            )
        },
        """
from batchimg_magics import Session
from batchimg_magics.errors import AuthenticationError

with Session() as session:
    try:
        session.connect(state=":memory:", speed="max", scenario="added")
    except AuthenticationError:
        raise SystemExit(0)
raise SystemExit("no request failed")
""",
    ),
    "an image source": Addition(
        {
            "core/images/origins/NAME.py": append(ORIGIN),
            "core/images/origins/registry.py": insert((r"\n_ORIGINS = \{\n", '"from_added": "added",\n')),
            "pool_spec/image_origin.py": insert(
                (r"\nORIGIN_FIELDS = \(", '"from_added", '),
                (r"\n    from_vm: .*\n", "    from_added: str | None = None\n"),
            ),
            "verbs/origin_options.py": insert(
                (r"\nORIGIN_OPTIONS: .* = \(\n", 'Option("--from-added", "Build it so", metavar="VM"),\n')
            ),
        },
        """
from batchimg_magics import Session
from batchimg_magics.ui.cli import main

assert main(["create", "p", "--from-added", "prep-vm", "--vm-size", "Standard_D2s_v5"]) == 0
with Session() as session:
    session.create("p", from_added="prep-vm", vm_size="Standard_D2s_v5", nodes=1)
    assert list(session.nodes("p").state) == ["idle"]
""",
        in_page="Build it so",
    ),
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the package; a test restores each file that it edits."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "batchimg_magics", folder / "batchimg_magics")
    return folder / "batchimg_magics"


def run(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python on a copy of the package, in a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(package.parent), str(ROOT)]),
        "XDG_DATA_HOME": str(package.parent / "data"),
        "BATCHIMG_STATE": ":memory:",
        "BATCHIMG_SPEED": "max",
    }
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=package.parent, env=environment, capture_output=True, text=True, check=False)


#: Writes a page. The checks and the pages of a thing share one process: most of its time it imports.
WRITE = """
import runpy
import sys

sys.argv[1:] = [{file!r}]
runpy.run_module({module!r}, run_name="__main__")
"""
#: Runs programs that have to fail, in one process, and prints the names of those that did.
FAILING = """
import json
import sys

failed = []
for name, program in json.load(open(sys.argv[1], encoding="utf-8")).items():
    try:
        exec(compile(program, name, "exec"), {})
    except (Exception, SystemExit) as error:
        if not isinstance(error, SystemExit) or error.code:
            failed.append(name)
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(failed, file)
"""


@pytest.fixture(scope="module")
def missing(package: Path) -> list[str]:
    """Return the kinds whose check fails before anything is added."""
    file = package.parent / "checks.json"
    file.write_text(json.dumps({kind: one.check for kind, one in ADDITIONS.items()}), encoding="utf-8")
    checked = run(package, "-c", FAILING, str(file))
    assert checked.returncode == 0, checked.stderr
    found: list[str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def file_of(package: Path, named: str, addition: Addition) -> Path:
    return package / re.sub("NAME|SUBJECT", addition.named, named)


@pytest.mark.parametrize("kind", ADDITIONS)
def test_a_thing_is_added_in_the_files_that_the_table_names(kind: str, package: Path, missing: list[str]) -> None:
    addition = ADDITIONS[kind]
    files, documentation, _ = ROWS[kind]
    assert set(re.findall(r"`([^`]*)`", files)) == set(addition.edits)
    assert kind in missing, "it is there before it is added"
    before = {file_of(package, name, addition): "" for name in addition.edits}
    before = {file: file.read_text(encoding="utf-8") if file.exists() else "" for file in before}
    try:
        for name, edit in addition.edits.items():
            file = file_of(package, name, addition)
            file.write_text(edit(before[file]), encoding="utf-8")
        pages = re.findall(r"`([^`]*)`", documentation.partition("`make docs`:")[2].partition(";")[0])
        targets = {page: package.parent / f"page{number}" for number, page in enumerate(pages)}
        written = "".join(WRITE.format(module=GENERATORS[page], file=str(file)) for page, file in targets.items())
        checked = run(package, "-c", addition.check + written)
        assert checked.returncode == 0, checked.stderr
        for page, target in targets.items():
            assert addition.in_page in target.read_text(encoding="utf-8"), page
            target.unlink()
    finally:
        for file, text in before.items():
            file.write_text(text, encoding="utf-8") if text else file.unlink(missing_ok=True)


def test_the_table_names_files_of_the_package() -> None:
    """A name without a placeholder is that of a file, and the folder of any other name is there."""
    for kind, (files, documentation, tests) in ROWS.items():
        for name in re.findall(r"`([^`]*)`", files):
            path = ROOT / ("" if name.startswith(("docs/", "tests/", "Makefile")) else "batchimg_magics") / name
            assert (path.parent if re.search("NAME|SUBJECT", name) else path).exists(), (kind, name)
        for name in re.findall(r"`((?:docs|tests)/[^`]*)`", documentation + tests):
            path = ROOT / name
            assert (path.parent if re.search("NAME|SUBJECT", name) else path).exists(), (kind, name)


def test_the_generators_of_the_table_are_those_of_make_docs() -> None:
    commands = re.findall(r"-m (docs\.generate\.\w+) (\S+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert {page.removeprefix("batchimg_magics/"): module for module, page in commands} == GENERATORS
