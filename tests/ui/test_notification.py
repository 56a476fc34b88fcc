"""The notification at the end of a long verb, in a real IPython shell; the browser's part is in tests/lab."""

from __future__ import annotations

from IPython.utils.capture import capture_output

from batchimg_magics.ui.notification import notification_script
from tests.support.shells import ipython


def scripts(outputs: list[object]) -> list[str]:
    """Return the scripts among the outputs of a cell."""
    return [one.data["application/javascript"] for one in outputs if "application/javascript" in one.data]  # type: ignore[attr-defined]


def test_a_long_verb_notifies_of_its_outcome_only_if_it_is_asked_for() -> None:
    with ipython(state=":memory:", speed="max") as shell:
        shell.kernel = object()  # type: ignore[attr-defined] # as in a notebook

        def outputs(line: str) -> list[str]:
            with capture_output() as captured:
                shell.run_cell(line)
            return scripts(captured.outputs)

        assert outputs("%batchimg pools") == []
        shell.run_cell("%config BatchImgMagics.notify = True")
        assert outputs("%batchimg pools") == []  # it was short
        shell.run_cell("%config BatchImgMagics.notify_after = 0")
        (script,) = outputs("%batchimg pools")
        assert '["%batchimg pools", "done: pools in account' in script
        (script,) = outputs("%batchimg nodes none")
        assert '["%batchimg nodes none", "failed: there is no pool' in script
        del shell.kernel  # type: ignore[attr-defined]


def test_text_of_the_service_stays_text() -> None:
    script = notification_script("x", '</script><b>"' + "y" * 999, 1.0)
    assert "</script>" not in script
    assert "y" * 201 not in script
    assert "http" not in script
