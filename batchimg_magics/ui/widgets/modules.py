"""The scripts and the style of the widgets: small files, joined into one module and one stylesheet.

Nothing is fetched, so that a widget works in VS Code and Colab, which load no JupyterLab extensions. Files of `_SHARED`
are joined as they are. Each other file is a function of its own, so that the names in it are its own, and what it
exports is an object of the file's name: ``nodes_section.render`` is ``export function render`` of `nodes_section.js`.
"""

from __future__ import annotations

import re
from importlib import resources

__all__ = ["CHOOSER_SCRIPT", "PANEL_SCRIPT", "PANEL_STYLE", "join_modules"]

_HERE = resources.files("batchimg_magics.ui.widgets")
_SHARED = frozenset({"dom", "squares"})
_EXPORT = re.compile(r"^export ((?:async )?function|const|class) (\w+)", re.MULTILINE)


def _text(name: str) -> str:
    return _HERE.joinpath(name).read_text(encoding="utf-8")


def join_modules(*names: str, main: str = "") -> str:
    """Return one module of several files.

    Parameters
    ----------
    names
        The files without their suffix, each after those that it uses.
    main
        The last file, which has the module's default export; empty: there is none.
    """
    return "\n".join([*(_module(name) for name in names), *([_text(f"{main}.js")] if main else [])])


def _module(name: str) -> str:
    source = _text(f"{name}.js")
    if name in _SHARED:
        return source
    exported = ", ".join(found[2] for found in _EXPORT.finditer(source))
    body = _EXPORT.sub(r"\1 \2", source)
    return f"const {name} = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();\n"


PANEL_SCRIPT = join_modules(
    "dom", "squares", "visibility", "notebook_cell", "head", "size_card", "forecast_card", "action_row",
    "estimate_section", "node_card", "nodes_section", "runs_section", "attempts_section", main="panel",
)  # fmt: skip
CHOOSER_SCRIPT = join_modules("dom", main="chooser")
PANEL_STYLE = "".join(
    _text(name) for name in ("panel.css", "nodes_section.css", "runs_section.css", "attempts_section.css")
)
