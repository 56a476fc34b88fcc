"""The verb ``autoscale``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchimg_magics.errors import SpecError
from batchimg_magics.pool_spec.words import AUTOSCALE_PRESETS
from batchimg_magics.verbs.resize_options import TTL
from batchimg_magics.verbs.verb import NAME, Option, Verb, VerbCall, check_choice, parse_count, read_text_or_file

if TYPE_CHECKING:
    from batchimg_magics.connection.connection import Connection
    from batchimg_magics.core.base.progress import Board
    from batchimg_magics.core.base.table import Table
    from batchimg_magics.core.scaling.autoscale import AutoscaleSetting

__all__ = ["VERB"]


def start(
    connection: Connection,
    name: str,
    *,
    formula: str | None = None,
    preset: str | None = None,
    off: bool = False,
    evaluate: bool = False,
    yes: bool = False,
    **setting: str | float | None,
) -> VerbCall:
    """Validate the options and return the work of the verb."""
    from batchimg_magics.core.scaling import autoscale
    from batchimg_magics.pool_spec.values import pool_name

    pool, azure = pool_name(name), connection.azure
    asked = _parse_setting(formula, preset, **setting)  # type: ignore[arg-type] # `Session` and the line give each its type
    if off and (asked or evaluate):
        raise SpecError("--off cannot be combined with other options", hint="use --off alone")

    async def run(_: Board) -> Table:
        if off:
            return await autoscale.turn_off(azure, pool)
        if evaluate:
            return await autoscale.evaluate(azure, pool, asked)
        if asked:
            return await autoscale.turn_on(azure, pool, asked, connection.consent(yes=yes))
        return await autoscale.show(azure, pool)

    return run


def _parse_setting(
    formula: str | None,
    preset: str | None,
    *,
    nodes: int | None = None,
    spot: int | None = None,
    ttl: str | float | None = None,
    interval: str | float | None = None,
) -> AutoscaleSetting | None:
    from batchimg_magics.core.scaling.autoscale import AutoscaleSetting
    from batchimg_magics.pool_spec.resize_policy import ResizePolicy
    from batchimg_magics.pool_spec.values import node_count, resize_timeout

    if formula and preset:
        raise SpecError("--formula and --preset cannot be combined", hint="use one of them")
    if not (formula or preset):
        if any(one is not None for one in (nodes, spot, ttl, interval)):
            raise SpecError("no formula was given", hint="add --preset NAME or --formula TEXT")
        return None
    return AutoscaleSetting(
        formula or "",
        check_choice(preset, "--preset", AUTOSCALE_PRESETS) if preset else "",
        node_count(nodes, "--nodes"),
        node_count(spot, "--spot"),
        ResizePolicy.from_options(ttl=ttl).ttl,
        None if interval is None else resize_timeout(interval, what="an evaluation interval"),
    )


VERB = Verb(
    "autoscale",
    "Show, evaluate, enable or disable the autoscale formula of a pool",
    (
        NAME,
        Option(
            "--formula",
            "Enable this formula, or the formula in the file @FILE",
            metavar="TEXT",
            parse=read_text_or_file,
            is_code=True,
        ),
        Option(
            "--preset",
            "Enable a preset: pending-tasks, working-hours (Monday to Friday, 8-18 UTC) or expiry (until --ttl)",
            metavar="NAME",
            choices=AUTOSCALE_PRESETS,
        ),
        Option(
            "--nodes",
            "Limit the dedicated nodes of the preset (default: the current target)",
            metavar="N",
            parse=parse_count,
        ),
        Option(
            "--spot", "Limit the Spot nodes of the preset (default: the current target)", metavar="N", parse=parse_count
        ),
        TTL,
        Option(
            "--interval",
            "Set how often Azure evaluates the formula, at least 5m (default 15m; 5m for --preset expiry)",
            metavar="DURATION",
        ),
        Option("--off", "Disable the formula and the expiry; the pool keeps its nodes"),
        Option("--evaluate", "Show what the formula evaluates to now, one row per variable"),
        Option("--yes", "Confirm; required on Azure for a formula that may remove nodes"),
    ),
    (
        "autoscale genomics",
        "autoscale genomics --preset pending-tasks --nodes 100",
        "autoscale genomics --evaluate",
        "autoscale genomics --off",
    ),
    start,
    returns="One row: the autoscale settings; with `evaluate`, one row per variable.",
    raises=(("ConflictError", "The pool is being resized, or `evaluate` is used while autoscale is off."),),
    changes=True,
    text_body="formula",
    extra_tables=(("autoscale variables", "With `--evaluate`:"),),
)
