"""How much work the expressions of a template may be: a short one without a limit can keep a server busy for hours.

Source: the limits of templates, and Azure's texts about them as users quote them; other numbers are the emulator's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from batchimg_magics.emulator.services.templates.expressions import TemplateError
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Call

#: So many elements or characters take as long as an expression.
_PARTS_PER_STEP = 20

evidence = Evidence("Work of template expressions")
MAX_STEPS = evidence.assumed(
    100_000,
    "steps",
    "that the expressions of a deployment may be, with those of its nested deployments: one for each, and one for each "
    f"{_PARTS_PER_STEP} values in a value or characters of a string",
    "Azure limits templates and requests in size and time; how it counts expressions is not documented",
)
_MAX_LEVELS = evidence.assumed(
    100, "levels", "of expressions inside each other, through variables and lambda expressions", "not documented"
)
#: The most resources of a deployment, with those of its nested deployments.
_MAX_RESOURCES = 800
#: The longest string.
_MAX_LENGTH = 131_072
#: The levels of a value, as in the body of a request.
_MAX_NESTING = 64
_INTEGER_BITS = 63


class Work:
    """Counts the evaluations and the resources of one deployment.

    As a context it is an expression; those inside are a level deeper.
    """

    def __init__(self) -> None:
        self._steps = self._levels = self._resources = 0

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
        if self._steps > MAX_STEPS:
            raise TemplateError("The template language expressions take more time than a deployment may take.")

    def check_value(self, value: object) -> None:
        """Count the parts of a value level by level, and refuse those that Azure cannot hold.

        A value may have the same part many times, and then it is much larger than its memory.
        """
        level = [value]
        for _ in range(_MAX_NESTING):
            self.add(len(level) // _PARTS_PER_STEP)
            inner: list[object] = []
            for one in level:
                if isinstance(one, dict):
                    inner += one.values()
                elif isinstance(one, list):
                    inner += one
                else:
                    self._check_single(one)
            if not inner:
                return
            level = inner
        raise TemplateError(
            f"The value of a template language expression is nested more than {_MAX_NESTING} levels deep."
        )

    def _check_single(self, value: object) -> None:
        if isinstance(value, str):
            check_length(len(value))
            self.add(len(value) // _PARTS_PER_STEP)
        elif (isinstance(value, int) and value.bit_length() > _INTEGER_BITS) or (
            isinstance(value, float) and not math.isfinite(value)
        ):
            raise TemplateError("The value of a template language expression is too large or too small for a number.")

    def add_resource(self) -> None:
        """Count one resource more, or refuse it."""
        self._resources += 1
        if self._resources > _MAX_RESOURCES:
            raise TemplateError(
                f"The number of template resources limit exceeded. Limit: '{_MAX_RESOURCES}' and actual: "
                f"'{self._resources}'."
            )


def check_length(length: int) -> None:
    """Refuse to make a string that is too long, before it is made."""
    if length > _MAX_LENGTH:
        raise TemplateError(
            f"The language expression literal limit exceeded. Limit: '{_MAX_LENGTH}' and actual: '{length}'."
        )


def work_of(call: Call) -> Work:
    """Return the work of the deployment that a request begins; its nested deployments share it."""
    found: Work = call.shared.setdefault("template work", Work())
    return found
