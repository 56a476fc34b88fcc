"""A real IPython shell for tests, with the extension loaded."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def ipython(**settings: Any) -> Iterator[InteractiveShell]:
    """Return a shell that shows plain text and keeps no history; `settings` are those of the magic."""
    config = Config({"HistoryManager": {"enabled": False}, "BatchImgMagics": settings})
    config.InteractiveShell.colors = "nocolor"
    main = sys.modules["__main__"]  # the shell takes its place: processes that are started later need the real one
    shell = InteractiveShell.instance(config=config)
    shell.run_line_magic("load_ext", "batchimg_magics")
    try:
        yield shell
    finally:
        shell.run_line_magic("unload_ext", "batchimg_magics")
        InteractiveShell.clear_instance()
        sys.modules["__main__"] = main


def run_cell(shell: InteractiveShell, source: str) -> Any:
    """Run a cell that must not fail and return what it shows as its value."""
    done = shell.run_cell(source)
    done.raise_error()
    return done.result
