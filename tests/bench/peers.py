"""Others' tools, each in an environment of its own below ``build/``: they pin what they need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.bench.rows import NotMeasuredError

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
