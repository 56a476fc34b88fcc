"""Others' tools, each in an environment of its own below ``build/``: they pin what they need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.rows import NotMeasuredError

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILD = Path("build")
#: Where `make test-azcli` has Azure's command line, too.
AZURE_CLI = BUILD / "azcli-venv"


def environment(place: Path, *packages: str) -> Path:
    """Return the folder of the programs of an environment with these packages; it is made where it is not there.

    Raises
    ------
    NotMeasuredError
        The packages cannot be had.
    """
    ready = place / ".ready"
    python = place / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", place], check=True, capture_output=True)
        if not ready.exists():
            install = [python, "-m", "pip", "install", "--quiet", *packages]
            subprocess.run(install, check=True, capture_output=True, text=True)
            ready.touch()
    except (subprocess.CalledProcessError, OSError) as error:
        raise NotMeasuredError(f"{', '.join(packages)} cannot be installed: {error}") from error
    return (place / "bin").absolute()


def as_installed(shell: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for processes whose start is timed: Python keeps modules compiled, as pip leaves them.

    The package under test is installed editable, so that pip did not compile it: the first run does.
    """
    return {name: value for name, value in shell.items() if name != "PYTHONDONTWRITEBYTECODE"}
