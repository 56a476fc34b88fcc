"""The failure scenarios: one registry of the effects of each.

A scenario has effects on responses, on the nodes of pools, on the quotas of Batch accounts, and on the replication of
image versions. A new scenario is an entry in `SCENARIOS`. The name of the current one is in the emulator state, so that
every process that uses the state has the same scenario.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import msgspec

from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchimg_magics.emulator.http.messages import Call
    from batchimg_magics.emulator.world.store import Store

#: Tells clients the current scenario, wherever an answer is a Batch account.
HEADER = "x-ms-emulator-scenario"
Replication = Literal["", "fails-in-account-regions", "last-region-never-ends"]


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One failure of requests.

    Parameters
    ----------
    method, path
        The requests that fail: an HTTP method, and a regular expression that is searched for in host and path,
        regardless of case. Empty: any.
    status, code, message, retry_after_s
        The response that is returned without handling the request.
    lost
        Instead of a status: the connection is dropped before the request is handled (``request``) or after it
        (``answer``).
    skip, times
        How many matching requests succeed first, and how many fail then; None: all that follow.
    share
        The share of the matching requests that fail.
    """

    method: str = ""
    path: str = ""
    status: int = 0
    code: str = ""
    message: str = ""
    retry_after_s: int = 0
    lost: Literal["", "request", "answer"] = ""
    skip: int = 0
    times: int | None = 1
    share: float = 1.0

    def __post_init__(self) -> None:
        if bool(self.status) == bool(self.lost):
            raise ValueError("a fault has either a status or a lost connection")
        if self.status and not 400 <= self.status <= 599:
            raise ValueError(f"the status of a fault has to be from 400 to 599, not {self.status}")
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"path: {error}") from error

    def matches(self, call: Call) -> bool:
        """Tell whether the fault applies to a request."""
        method = not self.method or self.method.upper() == call.method
        return method and re.search(self.path, f"{call.host}{call.path}", re.IGNORECASE) is not None


class Scenario(msgspec.Struct, frozen=True):
    """One failure scenario.

    Parameters
    ----------
    description
        What fails, as help texts and the documentation have it.
    faults
        Failures of requests.
    allocation
        Effects on nodes, by the names of the fields of `batch.model.scenarios.NodeEffects`.
    account_quotas
        The largest core quotas that Batch accounts have, by property.
    replication
        How the replication of gallery image versions fails.
    policies
        Parameters of built-in policies that are assigned to every subscription, by the name of the policy.
    lock
        The level of a lock on every resource group.
    unregistered
        The resource providers that no subscription is registered for.
    private_subnets
        Whether subnets have no default outbound access.
    gpu_quota
        Whether the subscription's quota of a GPU family is used up by the VMs that exist.
    """

    description: str
    faults: tuple[Fault, ...] = ()
    allocation: Mapping[str, float | bool] = msgspec.field(default_factory=dict)
    account_quotas: Mapping[str, int] = msgspec.field(default_factory=dict)
    replication: Replication = ""
    policies: Mapping[str, Mapping[str, object]] = msgspec.field(default_factory=dict)
    lock: Literal["", "CanNotDelete", "ReadOnly"] = ""
    unregistered: frozenset[str] = frozenset()
    private_subnets: bool = False
    broken_managers: tuple[str, ...] = ()
    gpu_quota: bool = False


request_evidence = Evidence("Scenarios: responses and quotas")
_SMALL_QUOTAS = request_evidence.assumed(
    {"dedicatedCoreQuota": 40, "dedicatedCoreQuotaPerVMFamily": 32, "lowPriorityCoreQuota": 16},
    "cores",
    "of an account in the scenario `quota`",
    "small enough that ten nodes of four cores exceed each of them",
)
_SHARES = request_evidence.assumed(
    {"429": 0.02, "500": 0.01, "503": 0.02, "request lost": 0.01, "answer lost": 0.01},
    "of all requests",
    "that fail in this way in the scenario `flaky`",
    "Azure publishes no failure rates",
)
_FLAKY = (
    Fault(status=429, retry_after_s=2, share=_SHARES["429"], times=None),
    Fault(status=500, share=_SHARES["500"], times=None),
    Fault(status=503, retry_after_s=1, share=_SHARES["503"], times=None),
    Fault(lost="request", share=_SHARES["request lost"], times=None),
    Fault(lost="answer", share=_SHARES["answer lost"], times=None),
)
node_evidence = Evidence("Scenarios: nodes")
#: The usual interval is `ALLOCATION_TIMES.wave_s["gallery"]` of ``batch.fleet``.
_SLOW_WAVE_S = node_evidence.assumed(
    330.0,
    "s",
    "between two waves of nodes of a gallery image in the scenario `slow-large`",
    "1,000 nodes then time out twice with the resize timeout of 20 minutes that custom images need",
)
_USUAL_WAVE_S = 45.0
_SLOW_ABOVE = node_evidence.assumed(
    300,
    "nodes",
    "above which pools are slow in the scenario `slow-large`",
    "Microsoft says to expect several resizes above that number",
)
_PREEMPTED_PER_H = node_evidence.assumed(
    1.0,
    "an hour",
    "preemptions of each spot node in the scenario `preemption`, on average",
    "often enough to be observed; Azure publishes ranges by size and region, without a guarantee",
)
node_evidence.rule(
    "Outside of scenarios spot nodes are not preempted, and nodes become unusable only because of their image.",
    "Azure does not publish the rates of either",
)
node_evidence.rule(
    "In the scenario `bad-start-task` a start task whose command does not tell an exit code ends with 1.",
    "no command is executed; 1 is what most programs return for a failure",
)
node_evidence.rule(
    "A start task that has failed on a node fails again after a reboot, also if the scenario has ended.",
    "a simplification, stricter than Azure may be: whether it fails is decided when the node is requested",
)
node_evidence.rule(
    "In the scenario `image-deleted` the image is gone when the first resize of its pool has ended.",
    "the nodes of a resize that is going on would otherwise depend on the moment",
)
#: The scenarios by name.
SCENARIOS: dict[str, Scenario] = {
    "calm": Scenario("no failures"),
    "slow-large": Scenario(
        "nodes of large pools are allocated so slowly that a resize to 1,000 nodes times out twice",
        allocation={"slowed": _SLOW_WAVE_S / _USUAL_WAVE_S, "slowed_above": _SLOW_ABOVE},
    ),
    "quota": Scenario("the core quotas of Batch accounts are small", account_quotas=_SMALL_QUOTAS),
    "image-deleted": Scenario(
        "once a pool has had nodes, its image is gone: every response says so, and new nodes fail to be allocated",
        allocation={"image_gone": True},
    ),
    "flaky": Scenario(
        "some requests return 429, 500 or 503, or lose the connection before or after the operation is done",
        faults=_FLAKY,
    ),
    "preemption": Scenario(
        "Spot nodes are preempted, and are restored later", allocation={"preempted_per_h": _PREEMPTED_PER_H}
    ),
    "bad-start-task": Scenario(
        "every start task fails (a pool without a start task is not affected)", allocation={"start_tasks_fail": True}
    ),
    "no-replica": Scenario(
        "replication of a gallery image version to the region of a Batch account fails",
        replication="fails-in-account-regions",
    ),
    "stuck-replication": Scenario(
        "replication of a gallery image version to its last region does not complete",
        replication="last-region-never-ends",
    ),
    "not-generalized": Scenario(
        "VMs are marked as generalized, but their operating systems are not",
        allocation={"specialized": True},
    ),
    "tag-policy": Scenario(
        "a policy denies every resource without the tag `CostCenter`",
        policies={"Require a tag on resources": {"tagName": "CostCenter"}},
    ),
    "delete-lock": Scenario(
        "every resource group has a lock, so that nothing in it can be deleted", lock="CanNotDelete"
    ),
    "not-registered": Scenario(
        "no subscription is registered for the resource provider of Azure Compute",
        unregistered=frozenset({"Microsoft.Compute"}),
    ),
    "private-subnets": Scenario(
        "subnets have no default outbound access: a VM without a public address or a NAT gateway has no way out",
        private_subnets=True,
    ),
    "broken-pip": Scenario(
        "pip fails on every VM: it can neither list nor install packages",
        broken_managers=("pip",),
    ),
    "stuck-autoscale": Scenario(
        "after a resize with errors, Batch no longer evaluates the autoscale formula of the pool until autoscale is "
        "turned off and on",
        allocation={"autoscale_sticks": True},
    ),
    "gpu-quota": Scenario(
        "the subscription's quota of a GPU family is one VM of the smallest size, or what its VMs use already",
        gpu_quota=True,
    ),
}
CALM = SCENARIOS["calm"]
#: Names of earlier versions, which a state file may contain.
_RENAMED = {"not-deprovisioned": "not-generalized"}


def current(store: Store) -> Scenario:
    """Return the current scenario of the emulator state."""
    return SCENARIOS[current_name(store)]


def current_name(store: Store) -> str:
    """Return the name of the current scenario; ``calm`` if there are no failures."""
    name = str(store.meta("scenario"))
    name = _RENAMED.get(name, name)
    return name if name in SCENARIOS else "calm"


def check_name(name: str) -> None:
    """Check the name of a scenario.

    Raises
    ------
    ValueError
        There is no scenario of that name.
    """
    if name not in SCENARIOS:
        raise ValueError(f"no scenario is called {name!r}; there are {', '.join(SCENARIOS)}")


def set_scenario(store: Store, name: str) -> None:
    """Set the current scenario.

    Raises
    ------
    ValueError
        There is no scenario of that name.
    """
    check_name(name)
    store.set_meta("scenario", name)
