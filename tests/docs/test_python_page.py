"""The examples of docs/python.md run, one after the other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from batchimg_magics.session.methods import POOL_VERBS
from tests.support.paths import ROOT

if TYPE_CHECKING:
    import pytest

PAGE = (ROOT / "docs/python.md").read_text(encoding="utf-8")


def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)  # noqa: S102 - the examples of this project's own page
    said = capsys.readouterr()
    for comment in re.findall(r"print\(error(?:\.hint)?\) +# (.*)", PAGE):
        assert f"{comment}\n" in said.out
    assert "create genomics: done, " in said.out
    assert "running: resize genomics>" in said.out
    assert "8 dedicated + 2 spot removed" in said.err
    assert not names["session"].connected


def test_the_page_names_all_methods_of_a_handle() -> None:
    listed = PAGE.partition("without its name:")[2].partition("panel")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == {name.replace("-", "_") for name in POOL_VERBS}
