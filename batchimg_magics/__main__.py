"""``batchimg`` as a process of its own; also ``python -m batchimg_magics``."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

__all__ = ["run"]


def run() -> NoReturn:
    """Run the process's own line, and end the process."""
    # Most of a short line's time goes into imports. What they make stays to the end: the collector looks at it again
    # and again, and once more at the end, and finds nothing.
    gc.set_threshold(50_000)
    from batchimg_magics.ui.cli import main

    status = main()
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    run()
