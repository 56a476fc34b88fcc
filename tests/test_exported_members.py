"""The public names of the package, and that they are imported only when they are used."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import batchimg_magics
from batchimg_magics import errors

ROOT = Path(batchimg_magics.__file__).parent
MODULES = sorted(
    ".".join(("batchimg_magics", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
)


def test_every_public_name_is_there() -> None:
    for name in batchimg_magics.__all__:
        assert getattr(batchimg_magics, name).__name__ == name
    assert {*batchimg_magics.__all__} <= {*dir(batchimg_magics)}


def test_every_error_is_public() -> None:
    assert {*errors.__all__} <= {*batchimg_magics.__all__}
    tree = {name for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, Exception)}
    assert tree == {*errors.__all__}


def test_the_tree_of_errors_is_drawn() -> None:
    drawn = re.findall(r"\w+Error", errors.__doc__ or "")
    assert sorted(drawn) == sorted(errors.__all__)


def test_no_other_name_is_there() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = batchimg_magics.nothing_of_the_kind


def test_the_version_is_the_installed_one() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", batchimg_magics.__version__)


@pytest.mark.parametrize("name", MODULES)
def test_all_lists_names_that_exist_in_order(name: str) -> None:
    module = import_module(name)
    offered = getattr(module, "__all__", [])
    assert all(hasattr(module, one) for one in offered)
    assert list(offered) == sorted(offered, key=_as_ruff_sorts)


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    kind = 0 if name.isupper() else 1 if name[:1].isupper() else 2
    return kind, name


def test_importing_the_package_imports_nothing_else_of_it() -> None:
    script = "import sys, batchimg_magics; print(*(name for name in sys.modules if name.startswith('batchimg_magics')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["batchimg_magics"]
