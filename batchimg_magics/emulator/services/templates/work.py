"""How much work the expressions of a template may be: a short one without a limit can keep a server busy for hours.

Source: the limits of templates (4 MB after expansion); the numbers here are the emulator's.
"""

from __future__ import annotations

from batchimg_magics.emulator.services.templates.expressions import TemplateError
from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Work of template expressions")
_MAX_STEPS = evidence.assumed(
    100_000,
    "steps",
    "that the expressions of one template may be: one for each, and one for each 100 characters or elements of a value",
    "Azure limits templates and requests in size and time; how it counts expressions is not documented",
)
_MAX_LEVELS = evidence.assumed(
    100, "levels", "of expressions inside each other, through variables and lambda expressions", "not documented"
)
#: The longest string that a function makes. Source: the limits of templates.
_MAX_LENGTH = 4 * 1024 * 1024


class Work:
    """Counts the evaluations of one template. As a context it is an expression; those inside are a level deeper."""

    def __init__(self) -> None:
        self._steps = self._levels = 0

    def __enter__(self) -> None:
        self.add(1)
        if self._levels >= _MAX_LEVELS:
            raise TemplateError(f"The template language expressions are nested more than {_MAX_LEVELS} levels deep.")
        self._levels += 1

    def __exit__(self, *_: object) -> None:
        self._levels -= 1

    def add(self, steps: int) -> None:
        """Count so many steps more, or refuse them."""
        self._steps += steps
        if self._steps > _MAX_STEPS:
            raise TemplateError("The template language expressions take more time than a deployment may take.")


def check_length(length: int, function: str) -> None:
    """Refuse to make a string that is too long, before it is made."""
    if length > _MAX_LENGTH:
        raise TemplateError(f"The template language function '{function}' is invalid: its result is too long.")
