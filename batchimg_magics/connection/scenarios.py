"""The failure scenarios of the emulator, by name: for `connect --scenario`, its help, its completion and its errors."""

from __future__ import annotations

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.values import suggest_name

__all__ = ["CALM", "check_scenario", "scenario_descriptions"]

#: The scenario without failures.
CALM = "calm"


def scenario_descriptions() -> dict[str, str]:
    """Return what each scenario simulates, by name."""
    from batchimg_magics.emulator.http.scenarios import SCENARIOS

    return {name: scenario.description for name, scenario in SCENARIOS.items()}


def check_scenario(name: str | None) -> None:
    """Check the name of a scenario; None: none is requested.

    Raises
    ------
    SpecError
        There is no such scenario. The hint has the most similar name, and all names.
    """
    if name is None or name in (known := scenario_descriptions()):
        return
    similar = suggest_name(name, known)
    start = f"{similar} " if similar.startswith("did you mean") else ""
    raise SpecError(f"there is no scenario {name!r}", hint=f"{start}the scenarios are: {', '.join(known)}")
