"""Tests use public names only, and import nothing from other test files.

Ruff's SLF001 reads attributes; these tests read imports, and names in strings.
"""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
#: Names of asyncio, IPython, ipywidgets and the Batch SDK; they have no public form.
FOREIGN = {"_thread_id", "_render_traceback_", "_repr_mimebundle_", "_repr_html_", "_is_model"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def private_names(source: str) -> Iterator[str]:
    """Yield the private names that a module imports, or reads and sets by name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {"batchimg_magics", "docs"}:
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from filter(is_private, names)
        elif isinstance(node, ast.Import):
            yield from (part for alias in node.names for part in alias.name.split(".") if is_private(part))
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in {"getattr", "setattr", "hasattr", "delattr"}:
                texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                yield from (part for text in texts for part in text.split(".") if is_private(part))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from batchimg_magics.session.session import _run_loop", ["_run_loop"]),
        ("monkeypatch.setattr(session, '_lock', None)", ["_lock"]),
        ("monkeypatch.setattr('batchimg_magics.session.session._run_loop', None)", ["_run_loop"]),
        ("getattr(session, '_lock')", ["_lock"]),
        ("from batchimg_magics.session.session import Session; getattr(session, '__name__')", []),
    ],
)
def test_private_names_are_found(source: str, names: list[str]) -> None:
    assert list(private_names(source)) == names


def test_no_test_imports_or_sets_a_private_name() -> None:
    files = sorted(ROOT.glob("tests/**/*.py"))
    assert len(files) > 150
    found = [(str(file.relative_to(ROOT)), name) for file in files for name in private_names(file.read_text("utf-8"))]
    assert [(file, name) for file, name in found if name not in FOREIGN] == []


def test_what_several_test_files_need_is_in_tests_support() -> None:
    found = []
    for file in sorted(ROOT.glob("tests/**/*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tests":
                parts = [*str(node.module).split("."), *(alias.name for alias in node.names)]
                if any(part == "conftest" or part.startswith("test_") for part in parts):
                    found.append((str(file.relative_to(ROOT)), node.module))
    assert found == []


def test_ruff_reads_private_attributes_in_tests() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    assert "SLF001" not in settings["ignore"]
    assert [pattern for pattern, codes in settings["per-file-ignores"].items() if {"SLF001", "SLF"} & set(codes)] == []
