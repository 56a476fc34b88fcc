"""What a rule is: a small function over `Facts` with an id, a severity and a source; and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from batchimg_magics.core.azure import tags
from batchimg_magics.core.azure.documents import dig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batchimg_magics.core.checks.facts import Facts

Severity: TypeAlias = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What a rule's function says.

    Parameters
    ----------
    ok
        Whether the rule is kept; None: it cannot be checked.
    found
        What there is, in one line.
    fix
        What to do about it: a line to paste where there is one.
    severity
        How grave it is here; None: as the rule says.
    """

    ok: bool | None
    found: str
    fix: str = ""
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found, as a row of the table.

    Parameters
    ----------
    rule, source
        The rule's id, and where it comes from.
    ok, found, fix
        As in `Verdict`.
    severity
        How grave it is where the rule is not kept.
    """

    rule: str
    ok: bool | None
    severity: Severity
    found: str
    fix: str
    source: str

    @property
    def is_error(self) -> bool:
        """Whether it stops `create`."""
        return self.ok is False and self.severity == "error"

    @property
    def is_warning(self) -> bool:
        """Whether it is shown, and does not stop `create`: what is broken but bearable, and what nobody could check."""
        return self.ok is None or (self.ok is False and self.severity == "warning")


def passed(found: str, fix: str = "") -> RuleResult:
    """Say that the rule is kept, and what is worth knowing of it."""
    return RuleResult(ok=True, found=found, fix=fix)


def failed(found: str, fix: str) -> RuleResult:
    """Say that the rule is not kept, as gravely as the rule has it."""
    return RuleResult(ok=False, found=found, fix=fix)


def warned(found: str, fix: str) -> RuleResult:
    """Say that the rule is not kept in a way that does not stop `create`."""
    return RuleResult(ok=False, found=found, fix=fix, severity="warning")


def unchecked(why: str, fix: str) -> RuleResult:
    """Say that the rule cannot be checked."""
    return RuleResult(ok=None, found=f"cannot be checked: {why}", fix=fix, severity="warning")


def unchecked_content(facts: Facts, what: str) -> RuleResult | None:
    """Say that what an image is made from does not show what was inside the VM that it is of."""
    if facts.source is None:
        return None
    if dig(facts.version or facts.managed_image or {}, "tags", tags.IMAGE):
        return passed("this tool made it, and judged that then")
    return unchecked(f"{facts.source.description} does not tell {what}", "look at the VM that it was made of")


RuleResults: TypeAlias = "RuleResult | Sequence[RuleResult] | None"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Parameters
    ----------
    id
        As the table names it.
    severity
        How grave it usually is when it is not kept.
    source
        Where it comes from.
    needs
        What must have been read for it; where one could not be, the rule cannot be checked.
    look
        Finds out; None where the rule does not apply.
    """

    id: str
    severity: Severity
    source: str
    needs: tuple[str, ...]
    test: Callable[[Facts], RuleResults]

    @property
    def title(self) -> str:
        """What it says, in one line: the first of its function's docstring."""
        return (self.test.__doc__ or "").strip().partition("\n")[0].removesuffix(".")

    def check(self, facts: Facts) -> list[Finding]:
        """Return what there is to say about it."""
        missing = [f"{what} ({facts.unread[what]})" for what in self.needs if what in facts.unread]
        if missing:
            said: RuleResults = unchecked(f"could not read {', '.join(missing)}", "ask for the permission to read it")
        else:
            said = self.test(facts)
        verdicts = [] if said is None else [said] if isinstance(said, RuleResult) else said
        return [
            # How grave a rule is says nothing where it is kept.
            Finding(
                self.id, one.ok, "info" if one.ok else one.severity or self.severity, one.found, one.fix, self.source
            )
            for one in verdicts
        ]


#: Every rule, in the order in which their modules are imported.
RULES: list[Rule] = []


def rule(
    name: str, severity: Severity, source: str, needs: tuple[str, ...] = ()
) -> Callable[[Callable[[Facts], RuleResults]], Callable[[Facts], RuleResults]]:
    """Register a function as a rule.

    Parameters
    ----------
    name, severity, source, needs
        As in `Rule`.
    """

    def register(test: Callable[[Facts], RuleResults]) -> Callable[[Facts], RuleResults]:
        RULES.append(Rule(name, severity, source, needs, test))
        return test

    return register
