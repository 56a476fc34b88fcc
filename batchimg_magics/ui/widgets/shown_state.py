"""`ShownState` and `ShownList`: traits of widgets with what a front end shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from batchimg_magics.masking import visible_values

__all__ = ["ShownList", "ShownState"]

if TYPE_CHECKING:
    _DictTrait = traitlets.Dict[str, Any]
    _ListTrait = traitlets.List[dict[str, Any]]
else:  # not generic when they run
    _DictTrait, _ListTrait = traitlets.Dict, traitlets.List


class ShownState(_DictTrait):
    """A JSON document that a front end shows: without secrets, and with visible control characters."""

    def validate(self, obj: Any, value: Any) -> dict[str, Any]:  # noqa: ANN401 - as the base class has it
        """Return the document as it is shown."""
        shown: dict[str, Any] = visible_values(super().validate(obj, value))
        return shown


class ShownList(_ListTrait):
    """A list of JSON documents that a front end shows, as `ShownState`."""

    def validate(self, obj: Any, value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as the base class has it
        """Return the documents as they are shown."""
        shown: list[dict[str, Any]] = visible_values(super().validate(obj, value))
        return shown
