"""Whether a verb that deletes or replaces something may do so, and how its table asks for confirmation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchimg_magics.core.base.table import Table

__all__ = ["Consent"]


@dataclass(frozen=True, slots=True)
class Consent:
    """What the user confirmed.

    Parameters
    ----------
    yes
        Whether ``--yes`` was given.
    withheld
        Whether ``--yes`` is required and was not given: then the verb shows what it would do.
    dry_run
        Whether the user asked to see only what would be done.
    """

    yes: bool = False
    withheld: bool = False
    dry_run: bool = False

    @property
    def shows_only(self) -> bool:
        """Whether nothing may be changed."""
        return self.dry_run or self.withheld

    def caption(self, text: str) -> str:
        """Return a caption, with the request to confirm where consent is withheld."""
        return f"{text}; add --yes to do it" if self.withheld else text

    def captioned(self, table: Table) -> Table:
        """Return a table that asks for confirmation where consent is withheld: in its caption, and for programs."""
        if not self.withheld:
            return table
        return replace(table, caption=self.caption(table.caption), attrs={**table.attrs, "withheld": True})
