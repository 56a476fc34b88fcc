"""The resize controller: rounds until a pool's target is really there, or there is a reason why it will not be.

A round is one resize of Azure's: ask, wait until the pool is steady, read the nodes that there are and the errors of
**this** resize, tell what kind of outcome it is, go on or stop. Azure ends a resize quietly at its timeout, with what
came by then; above 300 nodes several rounds are normal.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchimg_magics.core import nodes as node_pages
from batchimg_magics.core import pools, waiting
from batchimg_magics.core.pools import Counts
from batchimg_magics.core.tables import Table
from batchimg_magics.errors import ConflictError, ResizeError, ServiceError

if TYPE_CHECKING:
    from batchimg_magics.core.azure import Azure
    from batchimg_magics.core.nodes import Census
    from batchimg_magics.core.pools import State
    from batchimg_magics.core.progress import Board

#: Rounds in a row that may bring no node before it is given up.
EMPTY_ROUNDS = 2
#: Rounds altogether: a pool that grows by a node a round would otherwise go on for days.
MAX_ROUNDS = 50
#: Seconds before the next round after a fault on Azure's side, doubled each time.
PASSING_PAUSE_S = 30.0
#: The share of bad nodes from which a pool does not count as ready.
MAX_BAD_SHARE = 0.05
#: How long nodes may take from the pool being steady until the last one is ready or bad, in seconds.
SETTLE_TIMEOUT_S = 3600.0

_QUOTA = ("corequotareached", "quota")
#: Causes in the provider's own error after which the same request can only fail again. FACTS 5.
_FATAL_CAUSES = (
    "imagenotfound", "notfound", "hypervgeneration", "hypervisor generation", "skunotavailable", "linkedauthorization",
    "authorizationfailed", "does not have permission", "invalidparameter", "securitytype",
)  # fmt: skip
_FATAL_CODES = frozenset({"unsupportedvmsize"})


@dataclass(frozen=True, slots=True)
class Wish:
    """What a resize is to reach.

    Parameters
    ----------
    dedicated, spot
        How many nodes; None keeps the kind's target.
    timeout_s
        Azure's timeout of one round; None: as the size needs.
    until
        ``ready`` or ``steady``.
    grow_only
        Leave a kind alone that has more already.
    """

    dedicated: int | None = None
    spot: int | None = None
    timeout_s: float | None = None
    until: str = "ready"
    grow_only: bool = False

    def target(self, now: Counts) -> Counts:
        """Return the counts to ask for, where the pool's targets are these."""

        def one(wanted: int | None, there: int) -> int:
            if wanted is None:
                return there
            return max(wanted, there) if self.grow_only else wanted

        return Counts(one(self.dedicated, now.dedicated), one(self.spot, now.spot))


@dataclass(frozen=True, slots=True)
class Round:
    """One resize of Azure's and what came of it."""

    number: int
    started: float
    ended: float
    before: Counts
    after: Counts
    target: Counts
    timeout_s: float
    error: tuple[str, str, str] | None
    outcome: str
    action: str

    def row(self) -> dict[str, Any]:
        """Return this round as a row of the table."""
        code, message, reasons = self.error or (None, None, "")
        return {
            "round": self.number,
            "started": dt.datetime.fromtimestamp(self.started, dt.UTC),
            "ended": dt.datetime.fromtimestamp(self.ended, dt.UTC),
            "seconds": round(self.ended - self.started, 1),
            "dedicated_from": self.before.dedicated,
            "dedicated_to": self.after.dedicated,
            "dedicated_target": self.target.dedicated,
            "spot_from": self.before.spot,
            "spot_to": self.after.spot,
            "spot_target": self.target.spot,
            "timeout_minutes": self.timeout_s / 60,
            "code": code,
            "message": f"{message} ({reasons})" if reasons else message,
            "class": self.outcome,
            "action": self.action,
        }


def classify(errors: tuple[tuple[str, str, str], ...]) -> tuple[str, tuple[str, str, str] | None]:
    """Return what kind of outcome a resize's errors make, and the error that says so.

    Where there are several, the gravest decides. A code that is not known counts as ``short``.
    """
    order = ("fatal", "quota", "stopped", "passing", "short")
    kinds = [(_kind(*error), error) for error in errors]
    return min(kinds, key=lambda found: order.index(found[0])) if kinds else ("done", None)


def _kind(code: str, message: str, reasons: str) -> str:
    word, said = code.lower(), f"{message} {reasons}".lower()
    if word == "resizestopped":
        return "stopped"
    if any(part in word for part in _QUOTA):
        return "quota"
    if word in _FATAL_CODES or any(cause in said for cause in _FATAL_CAUSES):
        return "fatal"
    return "passing" if word == "allocationfailed" else "short"


class Controller:
    """Brings one pool to its target.

    Parameters
    ----------
    azure, pool
        Which.
    wish
        What is wanted.
    board
        Told how it goes.
    """

    def __init__(self, azure: Azure, pool: str, wish: Wish, board: Board) -> None:
        self.azure = azure
        self.pool = pool
        self.wish = wish
        self.board = board
        self.rounds: list[Round] = []
        self.target = Counts()
        self._asked: Counts | None = None

    async def run(self) -> Table:
        """Go on until the target is there.

        Returns
        -------
        Table
            One row a round; no row where the pool was at its target already.

        Raises
        ------
        ResizeError
            It will not be there; the error's table has the rounds.
        ConflictError
            A formula sets the pool's targets, or the pool is being deleted.
        """
        step = f"resize {self.pool}"
        self.board.begin(step, expected_s=pools.EXPECTED_S["steady"])
        try:
            census = await self._until_target(step)
        finally:
            self.board.end(step)
        if self.wish.until == "ready" and self.target.total:
            census = await settled(self.azure, self.pool, self.board, expected=self.target.total)
            self._refuse_bad(census)
        return self.table(census)

    async def _until_target(self, step: str) -> Census:
        pool = await pools.steady(self.azure, self.pool)
        if pool.autoscale:
            raise ConflictError(
                f"a formula sets the size of pool {self.pool!r}",
                hint=f"turn it off first: `%batchimg autoscale {self.pool} --off`",
                status_code=409,
            )
        self.target = self.wish.target(pool.target)
        census = await node_pages.census(self.azure, self.pool)
        while not self._there(pool, census):
            self._refuse_more()
            self.board.say(step, done=min(_live(census).total, self.target.total), total=self.target.total)
            pool, census = await self._round(pool, census)
        return census

    def _there(self, pool: State, census: Census) -> bool:
        held = Counts(census.held(dedicated=True), census.held(dedicated=False))
        return pool.target == self.target and held.dedicated >= self.target.dedicated and held.spot >= self.target.spot

    def _refuse_more(self) -> None:
        """Stop with a reason when the rounds so far do not give hope."""
        if not self.rounds:
            return
        last = self.rounds[-1]
        empty = [one for one in self.rounds[-EMPTY_ROUNDS:] if one.after.total <= one.before.total]
        hopeless = len(empty) == EMPTY_ROUNDS or len(self.rounds) >= MAX_ROUNDS
        if last.outcome in ("fatal", "quota", "stopped") or hopeless:
            raise self._failed(last, hopeless=hopeless)

    async def _round(self, pool: State, census: Census) -> tuple[State, Census]:
        """Ask once, wait until the pool is steady, and note what came of it."""
        before, started = _live(census), self.azure.now()
        allowed = self.wish.timeout_s or pools.timeout_s(self.target.total)
        await self._ask(pool, allowed)
        after = await self._steady_after(pool)
        census = await node_pages.census(self.azure, self.pool)
        # Errors stay on a pool until its next resize: these are ours only because its state changed since we asked.
        outcome, error = classify(after.errors)
        if outcome == "done" and not self._there(after, census):
            outcome = "stopped" if after.target != self.target else "short"
        action = {"done": "done", "short": "next round", "passing": "wait, then next round"}.get(outcome, "stop")
        number = len(self.rounds) + 1
        self.rounds.append(
            Round(
                number, started, self.azure.now(), before, _live(census), self.target, allowed, error, outcome, action
            )
        )
        if outcome == "passing":
            await self.azure.sleep(PASSING_PAUSE_S * 2 ** (number - 1))
        return after, census

    async def _ask(self, pool: State, allowed_s: float) -> None:
        try:
            await pools.resize(self.azure, pool.name, self.target, allowed_s)
        except ServiceError as error:
            # No answer, or a conflict: the request may have been taken all the same. What the pool does tells.
            if error.status_code not in (0, 409):
                raise
            seen = await pools.state(self.azure, self.pool)
            if seen.target != self.target or seen.since == pool.since:
                raise

    async def _steady_after(self, before: State) -> State:
        """Wait until the pool is steady again, with a change of state that follows our request."""

        async def look() -> waiting.Look[State]:
            seen = await pools.state(self.azure, self.pool)
            if seen.deleting:
                raise ConflictError(f"pool {self.pool!r} is being deleted", status_code=409)
            return waiting.Look(seen.allocation == "steady" and seen.since != before.since, seen)

        return await waiting.until(self.azure, look, what=f"pool {self.pool} to be steady")

    def _failed(self, last: Round, *, hopeless: bool) -> ResizeError:
        code, message, reasons = last.error or ("", "no node came, and Azure gives no reason", "")
        why = f"{code}: {message}" if code else message
        hints = {
            "quota": f"ask for more quota, or for fewer nodes: `%batchimg resize {self.pool} --nodes N`",
            "stopped": f"somebody stopped it; go on with `%batchimg resize {self.pool} "
            f"--nodes {self.target.dedicated} --spot {self.target.spot}`",
            "fatal": "the same request can only fail again: mend the cause first",
        }
        given_up = f" after {len(self.rounds)} rounds" if hopeless else ""
        error = ResizeError(
            f"pool {self.pool!r} has {last.after} of {self.target} nodes{given_up}: {why}"
            + (f" ({reasons})" if reasons else ""),
            errors=[(code, message)],
            target={"dedicated": self.target.dedicated, "spot": self.target.spot},
            current={"dedicated": last.after.dedicated, "spot": last.after.spot},
            hint=hints.get(last.outcome, "run the same line again later: it goes on from what is there"),
        )
        error.table = self.table(f"{last.after} of {self.target} nodes")
        return error

    def _refuse_bad(self, census: Census) -> None:
        if census.bad <= MAX_BAD_SHARE * self.target.total:
            return
        unusable = census.count(frozenset({"unusable"}))
        hint = (
            "a system that was not deprovisioned comes up like this; they are billed until you "
            f"`%batchimg resize {self.pool} --nodes 0 --spot 0`"
            if unusable
            else f"their start task failed: `%batchimg nodes {self.pool}` shows its exit code"
        )
        error = ResizeError(
            f"pool {self.pool!r}: {census.bad} of {self.target.total} nodes are of no use ({census})",
            target={"dedicated": self.target.dedicated, "spot": self.target.spot},
            current={"dedicated": census.live(dedicated=True), "spot": census.live(dedicated=False)},
            hint=hint,
        )
        error.table = self.table(census)
        raise error

    def table(self, nodes: Census | str) -> Table:
        """Return the rounds so far, with what nodes there are in caption and attrs."""
        rows = [one.row() for one in self.rounds]
        return Table.of("resize", rows, f"pool {self.pool}: {nodes}", nodes=str(nodes))


def _live(census: Census) -> Counts:
    return Counts(census.live(dedicated=True), census.live(dedicated=False))


async def settled(azure: Azure, pool: str, board: Board, *, expected: int, limit_s: float = SETTLE_TIMEOUT_S) -> Census:
    """Wait until every node is ready, or is in a state that it will not leave by itself.

    Raises
    ------
    WaitTimeoutError
        Some take longer than nodes ever take.
    """
    step = f"nodes of {pool}"
    board.begin(step, expected_s=pools.EXPECTED_S["ready"], total=expected)

    async def look() -> waiting.Look[Census]:
        seen = await node_pages.census(azure, pool)
        board.say(step, done=seen.ready, detail=str(seen))
        return waiting.Look(seen.on_their_way == 0, seen)

    try:
        return await waiting.until(azure, look, what=f"nodes of pool {pool}", timeout_s=limit_s)
    finally:
        board.end(step)


async def wait_table(
    azure: Azure, pool: str, board: Board, *, until: str, limit_s: float | None = None, verb: str = "wait"
) -> Table:
    """Wait until a pool is steady, or its nodes are ready, and return how it stands then.

    Raises
    ------
    WaitTimeoutError
        It took longer than `limit_s`.
    """
    began = azure.now()
    board.begin(f"pool {pool}", expected_s=pools.EXPECTED_S["steady"])
    seen = await pools.steady(azure, pool, limit_s=limit_s)
    took_s = board.end(f"pool {pool}")
    if until == "ready":
        left_s = SETTLE_TIMEOUT_S if limit_s is None else max(0.0, limit_s - took_s)
        census = await settled(azure, pool, board, expected=seen.target.total, limit_s=left_s)
        seen = await pools.state(azure, pool)
    else:
        census = await node_pages.census(azure, pool)
    live = _live(census)
    row = {
        "pool": seen.name,
        "allocation": seen.allocation,
        "dedicated": live.dedicated,
        "dedicated_target": seen.target.dedicated,
        "spot": live.spot,
        "spot_target": seen.target.spot,
        "ready": census.ready,
        "bad": census.bad,
        "seconds": round(azure.now() - began, 1),
    }
    return Table.of(verb, [row], f"pool {pool}: {census}")
