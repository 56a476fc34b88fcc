"""The verbs as plain calls: what `Session` answers with DataFrames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

__all__ = ["Verbs"]


class Verbs(ABC):
    """Every verb as a method that returns a pandas DataFrame; the columns are those of the reference."""

    @abstractmethod
    def _frame(self, verb: str, /, **options: Any) -> pd.DataFrame:
        """Run a verb to its end, unless `wait` is False, and return its table."""

    def connect(self, **target: Any) -> pd.DataFrame:
        """Choose the local Azure or a real account.

        Parameters
        ----------
        **target
            The fields of `connecting.Target`.

        Returns
        -------
        DataFrame
            One row: account, region, quotas, and the world where it is local.

        Raises
        ------
        SpecError, NotConnectedError
            The options make no connection.
        AuthenticationError
            Nobody is signed in.
        """
        return self._frame("connect", **target)

    def vms(self, *, connect: str | None = None) -> pd.DataFrame:
        """Return the VMs of the subscription, one a row; or how to log in to the one that `connect` names.

        Raises
        ------
        NotFoundError
            There is no such VM.
        """
        return self._frame("vms", connect=connect)

    def images(self, *, sources: bool = False) -> pd.DataFrame:
        """Return the images there are and who uses them, one a row; with `sources`, what they were made from too."""
        return self._frame("images", sources=sources)

    def migrate(
        self,
        name: str | None = None,
        *,
        to: str | None = None,
        yes: bool = False,
        delete_old: bool = False,
        wait: bool = True,
    ) -> pd.DataFrame:
        """Make a pool from a gallery image of what another pool is, which is made from a managed image or a VHD.

        Parameters
        ----------
        name
            The old pool; None: list the pools that have to be migrated.
        to
            The new pool's name; by default the old one's with ``-gallery``.
        yes
            Really do it; without it, the steps are shown.
        delete_old
            Whether the old pool is deleted when the new one's nodes are ready.
        wait
            Whether to wait for the end.

        Returns
        -------
        DataFrame
            One row a step.
        """
        return self._frame("migrate", name=name, to=to, yes=yes, delete_old=delete_old, wait=wait)

    def packer(
        self,
        name: str,
        *,
        os: str = "Linux",
        base: str | None = None,
        generation: str | None = None,
        to: str = "gallery",
        output: str | None = None,
    ) -> pd.DataFrame:
        """Return a short Packer template that ends in an image for this account's pools; ``attrs["text"]`` has it.

        Parameters
        ----------
        name
            The image's.
        os
            ``Linux`` or ``Windows``.
        base
            The Marketplace image to begin with, ``publisher:offer:sku``.
        generation
            That image's, ``V1`` or ``V2``; None: as Batch's list of supported images has it.
        to
            What it ends in: ``gallery``, ``vhd`` or ``managed-image``.
        output
            A file to write it into.

        Raises
        ------
        SpecError
            The account's pools take no such image.
        """
        return self._frame("packer", name=name, os=os, base=base, generation=generation, to=to, output=output)

    def pools(self) -> pd.DataFrame:
        """Return the account's pools, one a row."""
        return self._frame("pools")

    def check(
        self,
        name: str,
        *,
        kind: str | None = None,
        pool: str | None = None,
        role: bool = False,
        spec: Mapping[str, Any] | str | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Say what Azure would find out later: every rule that a VM, an image or a pool has to keep.

        Parameters
        ----------
        name
            Its name or resource id; of an image also GALLERY/DEFINITION[/VERSION].
        kind
            ``vm``, ``image`` or ``pool``, where the name is of several things.
        pool
            The pool that a VM or image is to be for.
        role
            Whether to show the smallest role that is enough; ``attrs["role"]`` has it in any case.
        spec
            What `create` would be asked for, as a mapping or YAML text.
        **options
            Fields of `PoolSpec`, which win over `spec`.

        Returns
        -------
        DataFrame
            One row a finding.

        Raises
        ------
        NotFoundError
            Nothing has that name.
        SpecError
            Several things have it, or what is asked for makes no sense.
        """
        return self._frame("check", name=name, kind=kind, pool=pool, role=role, spec=spec, **options)

    def create(
        self,
        name: str,
        *,
        spec: Mapping[str, Any] | str | None = None,
        replace: bool = False,
        yes: bool = False,
        wait: bool = True,
        **options: Any,
    ) -> pd.DataFrame:
        """Make a pool and the image that its nodes are made from, or go on with it.

        Parameters
        ----------
        name
            The pool's.
        spec
            What is wanted, as a mapping or YAML text.
        replace
            Whether a pool that is there and differs is deleted and made anew.
        yes
            Agrees to what cannot be undone: a VM deprovisioned in place; a pool replaced on a real connection.
        wait
            Whether to wait for the end.
        **options
            Fields of `PoolSpec`, which win over `spec`.

        Returns
        -------
        DataFrame
            One row a step.

        Raises
        ------
        SpecError, NotFoundError, ConflictError
            It cannot be; nothing was changed.
        ProvisioningError, ResizeError
            Azure failed at a step; the error's table has what was done.
        """
        return self._frame("create", name=name, spec=spec, replace=replace, yes=yes, wait=wait, **options)

    def plan(self, name: str, *, spec: Mapping[str, Any] | str | None = None, **options: Any) -> pd.DataFrame:
        """Return what `create` would do, one step a row; nothing is changed.

        Parameters
        ----------
        name, spec, **options
            As for `create`.

        Raises
        ------
        SpecError, NotFoundError, ConflictError
            `create` could not work.
        """
        return self._frame("plan", name=name, spec=spec, **options)

    def nodes(
        self,
        name: str | Sequence[str],
        *,
        counts: bool = False,
        state: str | Sequence[str] = (),
        where: str | None = None,
        prices: bool = True,
    ) -> pd.DataFrame:
        """Return the nodes of pools, one a row; or how many are in each state.

        Parameters
        ----------
        name
            A pool's name, a pattern (``sim-*``), or several of both; with more than one, or a pattern, the table has
            a column ``pool``.
        counts
            Whether there is one row a state.
        state
            Only nodes in this state, or in one of these.
        where
            A condition on the columns, e.g. ``state == 'idle' and running_tasks == 0``.
        prices
            Whether to ask what the nodes cost.

        Returns
        -------
        DataFrame
            ``attrs`` has ``idle_usd_per_hour`` and ``unusable_usd_per_hour``, what idle nodes and unusable or
            start-task-failed ones of these pools cost, and ``prices_as_of``; None where that is not known.

        Raises
        ------
        SpecError
            A state is none, or the condition makes no sense.
        NotFoundError
            There is no such pool, or none that fits.
        """
        return self._frame("nodes", name=name, counts=counts, state=state, where=where, prices=prices)

    def resize(
        self,
        name: str,
        *,
        nodes: int | None = None,
        spot: int | None = None,
        drain: str | None = None,
        autoscale_off: bool = False,
        dry_run: bool = False,
        yes: bool = False,
        wait: bool = True,
        **policy: Any,
    ) -> pd.DataFrame:
        """Bring a pool to a size, in as many rounds as it takes.

        Parameters
        ----------
        name
            The pool's, or a pattern of names such as ``sim-*``: then of all pools of this tool's that it matches.
        nodes, spot
            How many dedicated and spot nodes; a kind that is not named keeps its target.
        drain
            What becomes of tasks on nodes that leave: requeue, terminate, taskcompletion or retaineddata.
        autoscale_off
            Turn a formula off that sets the pool's size.
        dry_run
            Only say what would be done.
        yes
            Needed on a real connection for a pattern, and where tasks would end.
        wait
            Whether to wait for the end.
        **policy
            Fields of `Policy`: timeout, until, max_rounds, max_minutes, max_cost, max_unusable, repair, canary,
            take_what_fits, ttl.

        Returns
        -------
        DataFrame
            One row a round.

        Raises
        ------
        ResizeError
            The target was not reached; the error's table has the rounds.
        BudgetError
            The next round would cost more than it may.
        """
        options = {"drain": drain, "autoscale_off": autoscale_off, "dry_run": dry_run, "yes": yes, **policy}
        return self._frame("resize", name=name, nodes=nodes, spot=spot, wait=wait, **options)

    def repair(self, name: str, *, wait: bool = True, **policy: Any) -> pd.DataFrame:
        """Replace a pool's bad nodes: one reboot, time to recover, then another node.

        Parameters
        ----------
        name
            The pool's.
        wait
            Whether to wait for the end.
        **policy
            Fields of `Policy`: timeout, max_rounds, max_minutes, max_cost, max_unusable.

        Returns
        -------
        DataFrame
            One row a rung.

        Raises
        ------
        ResizeError
            Too many are bad all the same; the error's table has the rungs.
        """
        return self._frame("repair", name=name, wait=wait, **policy)

    def autoscale(self, name: str, **setting: Any) -> pd.DataFrame:
        """Let a formula set a pool's size, show it, try it, or turn it off.

        Parameters
        ----------
        name
            The pool's.
        **setting
            ``formula`` or ``preset`` (pending-tasks, working-hours, expiry) with ``nodes``, ``spot``, ``ttl``,
            ``interval``; ``off``; ``evaluate``. Nothing of these: show it.

        Returns
        -------
        DataFrame
            One row: how it stands; with ``evaluate`` one row a variable.

        Raises
        ------
        ConflictError
            The pool is being resized; or a formula is to be evaluated where autoscale is not on.
        """
        return self._frame("autoscale", name=name, **setting)

    def reap(self, *, dry_run: bool = False, yes: bool = False, wait: bool = True) -> pd.DataFrame:
        """Delete the pools that are past their expiry, one row each; on a real connection only with `yes`."""
        return self._frame("reap", dry_run=dry_run, yes=yes, wait=wait)

    def history(self, name: str | None = None, *, plot: bool = False) -> pd.DataFrame:
        """Return all rounds that there ever were, of one pool or of all, one a row.

        With `plot` the frame's ``attrs["samples"]`` has what was seen of the nodes, and a notebook draws them.
        """
        return self._frame("history", name=name, plot=plot)

    def wait(self, name: str, *, until: str = "ready", timeout: str | float | None = None) -> pd.DataFrame:
        """Wait until a pool is steady or its nodes are ready; one row with how it stands then."""
        return self._frame("wait", name=name, until=until, timeout=timeout)

    def stop(self, name: str) -> pd.DataFrame:
        """Stop a pool's resize; one row with how it stands then."""
        return self._frame("stop", name=name)

    def size(self, name: str | None = None, **question: Any) -> pd.DataFrame:
        """Return how many nodes the work needs, one VM size and kind of node a row, the cheapest that fits first.

        Parameters
        ----------
        name
            The pool that is to do it; where it is there, what its image's disks cost is counted.
        **question
            ``tasks`` and ``minutes`` (how long one takes); ``deadline`` (seconds or ``4h``), ``budget`` (US dollars) or
            both; ``slots``, ``vm_size`` (a pattern), ``kind``, ``evictions``, ``windows``, ``rows``.

        Returns
        -------
        DataFrame
            Unknown prices are missing, never 0. `core.sizing` has the arithmetic and its sources.

        Raises
        ------
        SpecError
            No number of nodes could do it.
        """
        return self._frame("size", name=name, **question)

    def delete(
        self, name: str, *, image: bool = False, dry_run: bool = False, yes: bool = False, wait: bool = True
    ) -> pd.DataFrame:
        """Delete a pool and, with `image`, all that was made for its image; or a single image or snapshot.

        Parameters
        ----------
        name
            The pool's; or the resource id of an image, a version, a snapshot or a disk.
        image
            Whether the image goes too.
        dry_run
            Only say what would go.
        yes
            Needed on a real connection; without it, nothing is deleted there.
        wait
            Whether to wait for the end.

        Returns
        -------
        DataFrame
            One row a resource.

        Raises
        ------
        InUseError
            Somebody needs it: its `users` are their ids. Nothing was deleted.
        NotFoundError
            It is not there.
        """
        return self._frame("delete", name=name, image=image, dry_run=dry_run, yes=yes, wait=wait)

    def orphans(
        self, *, delete: bool = False, older_than: str | float | None = None, yes: bool = False
    ) -> pd.DataFrame:
        """Return what bears this tool's marks and no pool needs, one a row; with `delete`, take it away.

        Parameters
        ----------
        delete
            Whether to delete it.
        older_than
            Leave out what is younger: seconds or ``2h``.
        yes
            Needed to delete on a real connection; without it, nothing is deleted there.
        """
        return self._frame("orphans", delete=delete, older_than=older_than, yes=yes)
