"""The documents are correct: commands, names, links and generated pages."""

from __future__ import annotations

import importlib
import itertools
import re
from typing import TYPE_CHECKING

import pytest

import batchimg_magics
from batchimg_magics.core.base.schemas import SCHEMAS
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.ui.line_parser import parse_line, split_line
from batchimg_magics.verbs.registry import all_verbs
from batchimg_magics.verbs.verb import JSON, PROFILE, Verb
from docs.generate import assumptions, coverage
from docs.generate.reference import render_page
from docs.generate.session_stub import render_stub
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_reference_is_current() -> None:
    assert read("docs/reference.md") == render_page(), "run `make docs`"


def test_the_stub_of_the_session_methods_is_current() -> None:
    assert read("batchimg_magics/session/methods.pyi") == render_stub(), "run `make docs`"


def test_the_page_of_assumptions_is_current() -> None:
    assert read("docs/assumed.md") == assumptions.render_page(), "run `make docs`"


def test_the_coverage_page_is_current() -> None:
    kept, found = read("docs/coverage.md"), coverage.render_page()
    # Another release of an SDK may have other operations: those that both have are answered as the page says.
    kept_rows, found_rows = operations(kept), operations(found)
    both = kept_rows.keys() & found_rows.keys()
    assert {name: kept_rows[name] for name in both} == {name: found_rows[name] for name in both}, "run `make docs`"
    assert kept == found or clients(kept) != clients(found), "run `make docs`"


def operations(text: str) -> dict[tuple[str, str], str]:
    """Return the rows of the coverage page, by client and operation."""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    rows = ((section.split()[0], row) for section in sections for row in re.finditer(r"\n\| `(\S+)` \| (.*)", section))
    return {(client, row[1]): row[2] for client, row in rows}


def clients(text: str) -> list[str]:
    """Return which releases of the clients the coverage page is of."""
    return re.findall(r"^\| (azure-\S+ \| \S+) \|", text, re.MULTILINE)


def test_every_assumption_is_on_its_page() -> None:
    text = read("docs/assumed.md")
    declared = [entry for basis in assumptions.bases() for entry in basis.entries]
    assert len(declared) > 50
    for entry in declared:
        assert f"| {entry.meaning} |" in text
        assert entry.source in text
    assumed, known = text.split("## Recorded or documented")
    assert all(entry.meaning in (assumed if entry.kind == "assumed" else known) for entry in declared)


@pytest.mark.parametrize("path", sorted(ROOT.glob("batchimg_magics/emulator/**/*.py")), ids=lambda path: path.name)
def test_who_speaks_of_an_assumption_declares_it(path: Path) -> None:
    spoken = re.search(r"\bassum(?!ed_resources\b)", path.read_text(encoding="utf-8"))
    parts = path.relative_to(ROOT).with_suffix("").parts
    module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
    tables = [thing.entries for thing in vars(module).values() if isinstance(thing, Evidence)]
    assert not spoken or path.stem == "evidence" or any(entry.kind == "assumed" for entry in itertools.chain(*tables))


@pytest.mark.parametrize("verb", all_verbs(), ids=lambda verb: verb.name)
def test_every_verb_and_option_is_in_the_reference(verb: Verb) -> None:
    text = read("docs/reference.md")
    section = text.partition(f"\n## {verb.name}\n")[2].partition("\n## ")[0]
    assert all(f"`{option.usage}`" in section for option in verb.options)
    assert all(f"| `{column.name}` |" in section for column in SCHEMAS[verb.name])
    assert verb.summary in section


def test_every_public_name_is_in_the_reference() -> None:
    text = read("docs/reference.md")
    assert all(f"| `{name}` |" in text for name in batchimg_magics.__all__)


def test_every_verb_is_in_the_readme() -> None:
    text = read("README.md")
    assert all(f"| `{verb.usage}` |" in text for verb in all_verbs())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert all((path.parent / target).exists() for target in targets if "://" not in target)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_line_that_is_shown_can_be_read(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "genomics.yaml").touch()  # the file that examples name
    (tmp_path / "install.sh").write_text("true")
    blocks = re.findall(r"^```\w*\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = re.findall(r"(?:^|= )(?:%{1,2}|\$ )batchimg ([a-z-].*)", "\n".join(blocks), re.MULTILINE)
    for line in lines:
        parse_line(split_line(line.partition(" << ")[2] or line), shared=(JSON, PROFILE))


def test_every_word_of_the_glossary_is_explained() -> None:
    entries = re.findall(r"^\*\*(.+?)\*\*: (.+)$", read("docs/glossary.md"), re.MULTILINE)
    words = [word.lower() for word, _ in entries]
    assert words == sorted(words)
    assert {"pool", "node", "snapshot", "image version", "emulator", "emulator state"} <= {*words}


def test_the_page_on_azure_names_tests_that_exist() -> None:
    rows = [line for line in read("docs/on-azure.md").splitlines() if line.startswith("| ") and "tests/" in line]
    named = [re.findall(r"`(tests/[\w/]+\.py)::(\w+)", row) for row in rows]
    assert len(rows) > 30
    assert all(named), rows
    for path, name in itertools.chain.from_iterable(named):
        assert f"def {name}(" in read(path), (path, name)
