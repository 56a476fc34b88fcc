"""What the import of a package imports, in a fresh process."""

from __future__ import annotations

import subprocess
import sys


def modules_after(statement: str) -> set[str]:
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_local_azure_never_imports_core() -> None:
    found = modules_after("import batchimg_magics.emulator.emulator, batchimg_magics.emulator.app")
    assert "batchimg_magics.emulator.emulator" in found
    rooms = {name.split(".")[1] for name in found if name.startswith("batchimg_magics.")}
    assert rooms == {"emulator"}


def test_core_never_imports_the_local_azure() -> None:
    operations = "batchimg_magics.core.operations"
    found = modules_after(f"import {operations}.create, {operations}.images, batchimg_magics.session.session")
    assert "batchimg_magics.core.scaling.controller" in found
    assert not {
        name for name in found if name.startswith(("batchimg_magics.emulator", "batchimg_magics.ui", "IPython"))
    }
