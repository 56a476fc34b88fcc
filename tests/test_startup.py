"""Loading the extension costs little: what it imports is looked at in a fresh process."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("azure", "pandas", "pydantic", "starlette", "msgspec", "numpy", "aiohttp", "yaml")
SCRIPT = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "batchimg_magics")
assert "batchimg" in shell.magics_manager.magics["line"]
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def test_load_ext_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "batchimg_magics" in loaded
    assert not set(HEAVY) & set(loaded)
