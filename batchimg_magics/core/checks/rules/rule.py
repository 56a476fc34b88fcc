"""Rules and their findings: a rule is a function of `Facts` with an id, a severity and a source."""

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
    """The result of a rule's function.

    Parameters
    ----------
    ok
        Whether the check passed; None if the check was not possible.
    found
        What was found, in one line.
    fix
        How to fix it: a command to copy, if there is one.
    severity
        The severity in this case; None: the severity of the rule.
    """

    ok: bool | None
    found: str
    fix: str = ""
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a rule: a row of the table.

    Parameters
    ----------
    rule, source
        The rule's id, and the document that states the rule.
    ok, found, fix
        As in `RuleResult`.
    severity
        The severity if the check failed.
    """

    rule: str
    ok: bool | None
    severity: Severity
    found: str
    fix: str
    source: str

    @property
    def is_error(self) -> bool:
        """Whether it makes `create` fail."""
        return self.ok is False and self.severity == "error"

    @property
    def is_warning(self) -> bool:
        """Whether it is shown but does not make `create` fail: a warning, or a check that was not possible."""
        return self.ok is None or (self.ok is False and self.severity == "warning")


def passed(found: str, fix: str = "") -> RuleResult:
    """Return a passed check, with what is worth knowing."""
    return RuleResult(ok=True, found=found, fix=fix)


def failed(found: str, fix: str) -> RuleResult:
    """Return a failed check with the severity of the rule."""
    return RuleResult(ok=False, found=found, fix=fix)


def warned(found: str, fix: str) -> RuleResult:
    """Return a failed check that does not make `create` fail."""
    return RuleResult(ok=False, found=found, fix=fix, severity="warning")


def unchecked(why: str, fix: str) -> RuleResult:
    """Return a check that was not possible."""
    return RuleResult(ok=None, found=f"cannot be checked: {why}", fix=fix, severity="warning")


def unchecked_content(facts: Facts, what: str) -> RuleResult | None:
    """Return that an image source does not show what was inside its VM; None if the source is unknown."""
    if facts.source is None:
        return None
    if dig(facts.version or facts.managed_image or {}, "tags", tags.IMAGE):
        return passed("checked when this tool created the image")
    return unchecked(f"{facts.source.description} does not show {what}", "check the VM that it was made from")


RuleResults: TypeAlias = "RuleResult | Sequence[RuleResult] | None"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Parameters
    ----------
    id
        The rule's name in the table.
    severity
        The usual severity if the check fails.
    source
        The document that states the rule.
    needs
        What must have been read; if one of them could not be read, the check is not possible.
    test
        Checks the facts; returns None if the rule does not apply.
    is_acceptable
        Whether the user can accept an error of the rule with ``--accept``, which makes it a warning.
    """

    id: str
    severity: Severity
    source: str
    needs: tuple[str, ...]
    test: Callable[[Facts], RuleResults]
    is_acceptable: bool = False

    @property
    def title(self) -> str:
        """The rule in one line: the first line of its function's docstring."""
        return (self.test.__doc__ or "").strip().partition("\n")[0].removesuffix(".")

    def check(self, facts: Facts) -> list[Finding]:
        """Return the findings for some facts; none if the rule does not apply."""
        missing = [f"{what} ({facts.unread[what]})" for what in self.needs if what in facts.unread]
        if missing:
            result: RuleResults = unchecked(f"could not read {', '.join(missing)}", "ask for the permission to read it")
        else:
            result = self.test(facts)
        results = [] if result is None else [result] if isinstance(result, RuleResult) else result
        return [self._finding(one, is_accepted=self.id in facts.spec.accept) for one in results]

    def _finding(self, result: RuleResult, *, is_accepted: bool) -> Finding:
        # A passed check has no severity of its own.
        severity = "info" if result.ok else result.severity or self.severity
        found, fix = result.found, result.fix
        if severity == "error" and result.ok is False and self.is_acceptable:
            if is_accepted:
                severity, found = "warning", f"{found} (accepted with --accept {self.id})"
            else:
                fix = f"{fix}; or accept it: --accept {self.id}" if fix else f"accept it: --accept {self.id}"
        return Finding(self.id, result.ok, severity, found, fix, self.source)


#: All rules, in the order in which their modules are imported.
RULES: list[Rule] = []


def rule(
    name: str, severity: Severity, source: str, needs: tuple[str, ...] = (), *, acceptable: bool = False
) -> Callable[[Callable[[Facts], RuleResults]], Callable[[Facts], RuleResults]]:
    """Register a function as a rule.

    Parameters
    ----------
    name, severity, source, needs
        As in `Rule`.
    acceptable
        Whether the user can accept an error of the rule.
    """

    def register(test: Callable[[Facts], RuleResults]) -> Callable[[Facts], RuleResults]:
        RULES.append(Rule(name, severity, source, needs, test, acceptable))
        return test

    return register
