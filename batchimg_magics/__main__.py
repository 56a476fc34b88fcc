"""The ``batchimg`` command; also ``python -m batchimg_magics``."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

__all__ = ["run"]


def run() -> NoReturn:
    """Run the command line of this process, and exit."""
    # A short command spends most of its time on imports. The imported objects live until the end, so that garbage
    # collections during imports and at exit would find nothing: they are avoided.
    gc.set_threshold(50_000)
    from batchimg_magics.ui.cli import main

    status = main()
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    run()
