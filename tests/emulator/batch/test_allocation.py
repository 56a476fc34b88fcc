"""The allocation model: pure, the same every time, and fast enough for 100,000 nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from batchimg_magics.emulator.batch.fleet import allocation, cohorts, node_counts, nodes, resizing
from batchimg_magics.emulator.batch.fleet.cohorts import ABSENT, STATE_CODES, Cohort
from batchimg_magics.emulator.batch.fleet.node_times import ALLOCATION_TIMES
from batchimg_magics.emulator.batch.fleet.nodes import Fleet, Problem
from batchimg_magics.emulator.batch.fleet.resizing import AllocationTerms

HOUR = 3600.0


def cohort(**more: object) -> Cohort:
    plain = {"seed": "s", "kind": "dedicated", "first": 0, "count": 250, "began": 0.0, "until": HOUR, "first_s": 40.0}
    return Cohort(**(plain | {"wave_s": 45.0, "boot": "linux/marketplace"} | more))  # type: ignore[arg-type]


def tally(fleet_: Fleet, now: float) -> dict[str, dict[str, int]]:
    return {kind: found for kind in nodes.KINDS if (found := nodes.counts_by_state(fleet_, now, kind))}


def grown(dedicated: int = 0, spot: int = 0, terms: AllocationTerms | None = None, timeout_s: float = 900.0) -> Fleet:
    made = Fleet("seed")
    targets = {"dedicated": dedicated, "spot": spot}
    resizing.begin_resize(made, 0.0, targets, terms or AllocationTerms(), timeout_s=timeout_s)  # type: ignore[arg-type]
    return made


def test_a_cohort_is_the_same_when_it_is_computed_again() -> None:
    codes, since = allocation.states_at(cohort(), 100.0)
    allocation.clear_caches()
    again, since_again = allocation.states_at(cohort(), 100.0)
    assert np.array_equal(codes, again)
    assert np.array_equal(since[codes != ABSENT], since_again[codes != ABSENT])


def test_node_ids_read_as_azures_and_are_in_order() -> None:
    ids = allocation.node_table(cohort(kind="spot")).ids
    assert all(len(name) == len("tvmps_") + 64 + 2 and name.endswith("_p") for name in ids)
    assert ids == sorted(set(ids))


def test_another_seed_makes_other_nodes() -> None:
    assert not set(allocation.node_table(cohort()).ids) & set(allocation.node_table(cohort(seed="t")).ids)


def test_nodes_come_in_waves_and_pass_through_creating_and_starting() -> None:
    one = cohort()
    assert np.count_nonzero(allocation.states_at(one, 39.9)[0] != ABSENT) == 0
    assert np.count_nonzero(allocation.states_at(one, 40.1)[0] != ABSENT) == ALLOCATION_TIMES.wave_nodes
    assert np.count_nonzero(allocation.states_at(one, 40 + 2 * 45.0)[0] != ABSENT) == 250
    passed = [
        set(allocation.states_at(one, float(now))[0][allocation.node_table(one).index < 100])
        for now in range(40, 200, 2)
    ]
    assert passed[0] == {STATE_CODES["creating"]}
    assert {STATE_CODES["starting"]} in passed
    assert passed[-1] == {STATE_CODES["idle"]}


def test_states_only_go_forward_and_since_is_when_they_began() -> None:
    one = cohort(count=50)
    before, _ = allocation.states_at(one, 40.0)
    for now in np.arange(41.0, 140.0, 1.0):
        codes, since = allocation.states_at(one, now)
        assert np.all(codes >= before)
        there = codes != ABSENT
        assert np.all(since[there] <= now)
        assert np.array_equal(
            allocation.states_at(one, now + 1e-6)[0][there & (since == now)], codes[there & (since == now)]
        )
        before = codes


def test_a_small_resize_is_steady_within_the_recorded_times() -> None:
    made = grown(20, 5)
    assert made.resize is not None
    assert 30 <= made.resize.ends <= 96
    assert tally(made, made.resize.ends)["dedicated"].keys() <= {"creating", "starting"}
    assert tally(made, 300.0) == {"dedicated": {"idle": 20}, "spot": {"idle": 5}}
    assert nodes.resize_errors(made, 300.0) == ()


def test_a_resize_with_nothing_to_do_is_steady_after_the_recorded_moment() -> None:
    made = grown()
    assert nodes.allocation_state(made, 1.3) == ("resizing", 0.0)
    assert nodes.allocation_state(made, 1.5) == ("steady", ALLOCATION_TIMES.empty_s)


def test_a_timeout_keeps_the_nodes_and_is_reported_at_its_end() -> None:
    made = grown(2000, timeout_s=300.0)
    assert nodes.resize_errors(made, 299.0) == ()
    assert [problem.code for problem in nodes.resize_errors(made, 300.0)] == ["AllocationTimedout"]
    came = nodes.current_nodes(made, 10_000.0, "dedicated")
    assert 0 < came < 2000
    assert came % ALLOCATION_TIMES.wave_nodes == 0


def test_the_next_resize_asks_for_the_rest_and_clears_the_errors() -> None:
    made = grown(2000, timeout_s=300.0)
    came = nodes.current_nodes(made, 301.0, "dedicated")
    resizing.begin_resize(made, 301.0, {"dedicated": 2000, "spot": 0}, AllocationTerms(), timeout_s=HOUR)
    assert nodes.resize_errors(made, 302.0) == ()
    assert nodes.current_nodes(made, 302.0, "dedicated") == came
    assert tally(made, 301.0 + HOUR) == {"dedicated": {"idle": 2000}}
    assert nodes.resize_errors(made, 301.0 + HOUR) == ()


def test_fewer_replicas_and_managed_images_are_slower() -> None:
    enough, few = (cohorts.wave_interval_s("gallery", 3000, replicas) for replicas in (10, 1))
    assert few == pytest.approx(10 * enough)
    assert cohorts.wave_interval_s("managed", 100, None) > cohorts.wave_interval_s("gallery", 100, 1)


def test_quotas_allow_what_fits_and_name_the_quota_that_is_reached() -> None:
    full = Problem("AccountCoreQuotaReached", "full")
    made = grown(50, terms=AllocationTerms(available={"dedicated": 8}, quota_errors={"dedicated": full}))
    assert nodes.current_nodes(made, 900.0, "dedicated") == 8
    assert nodes.resize_errors(made, 900.0) == (full,)
    none = grown(50, terms=AllocationTerms(available={"dedicated": 0}, quota_errors={"dedicated": full}))
    assert nodes.allocation_state(none, 1.5)[0] == "steady"
    assert nodes.resize_errors(none, 1.5) == (full,)


def test_stopping_keeps_the_nodes_and_reports_which_kind_is_incomplete() -> None:
    made = grown(2000, 10, timeout_s=HOUR)
    came = nodes.current_nodes(made, 150.0, "dedicated")
    resizing.stop_resize(made, 150.0)
    assert nodes.allocation_state(made, 151.0) == ("stopping", 150.0)
    assert nodes.allocation_state(made, 150.0 + ALLOCATION_TIMES.stop_s)[0] == "steady"
    assert nodes.current_nodes(made, HOUR, "dedicated") == came
    assert [problem.code for problem in nodes.resize_errors(made, HOUR)] == ["ResizeStopped"]
    assert "dedicated nodes could not be allocated due to a stop" in nodes.resize_errors(made, HOUR)[0].message


def test_stopping_a_shrink_lets_the_removal_finish() -> None:
    made = grown(2)
    resizing.begin_resize(made, 500.0, {"dedicated": 0, "spot": 2}, AllocationTerms(), timeout_s=900.0)
    resizing.stop_resize(made, 500.2)
    assert made.resize is not None
    assert made.resize.ends == pytest.approx(500.0 + cohorts.removal_s(2))
    assert tally(made, 560.0) == {"dedicated": {"leavingpool": 2}}
    assert tally(made, made.resize.ends) == {}
    assert [problem.message for problem in nodes.resize_errors(made, HOUR)] == [
        "Desired number of low priority nodes could not be allocated due to a stop resize operation"
    ]


def test_shrinking_takes_the_newest_nodes_first_and_keeps_the_others_ids() -> None:
    made = grown(10)
    first = {node.id for node in nodes.nodes(made, 300.0)}
    resizing.begin_resize(made, 300.0, {"dedicated": 14, "spot": 0}, AllocationTerms(), timeout_s=900.0)
    assert len(list(nodes.nodes(made, 600.0))) == 14
    resizing.begin_resize(made, 600.0, {"dedicated": 10, "spot": 0}, AllocationTerms(), timeout_s=900.0)
    assert {node.id for node in nodes.nodes(made, 900.0)} == first


def test_a_system_never_deprovisioned_makes_unusable_nodes() -> None:
    made = grown(5, terms=AllocationTerms(unusable=1.0))
    assert tally(made, 2 * HOUR) == {"dedicated": {"unusable": 5}}
    assert all(node.booted is None for node in nodes.nodes(made, 2 * HOUR))


def test_unusable_nodes_may_recover() -> None:
    made = grown(20, terms=AllocationTerms(unusable=0.5, recovering=0.5))
    soon, late = tally(made, 800.0)["dedicated"], tally(made, 2 * HOUR)["dedicated"]
    assert soon["unusable"] > late["unusable"] > 0


def test_a_start_task_is_waited_for_and_may_fail() -> None:
    fine = grown(3, terms=AllocationTerms(start_task_s=600.0))
    assert tally(fine, 400.0) == {"dedicated": {"waitingforstarttask": 3}}
    assert tally(fine, 1000.0) == {"dedicated": {"idle": 3}}
    bad = grown(3, terms=AllocationTerms(start_task_s=5.0, start_task_fails=True))
    assert tally(bad, 1000.0) == {"dedicated": {"starttaskfailed": 3}}


def test_spot_nodes_are_taken_and_given_back_again_and_again() -> None:
    made = grown(2, 40, AllocationTerms(preempted_per_h=2.0))
    seen = [tally(made, 600.0 + hour * HOUR) for hour in range(30)]
    assert all(sum(one["spot"].values()) == 40 for one in seen)
    assert all(one["dedicated"] == {"idle": 2} for one in seen)
    assert sum(one["spot"].get("preempted", 0) > 0 for one in seen) > 20
    assert any(one["spot"].get("starting", 0) for one in seen)
    assert all(one["spot"].get("idle", 0) > 10 for one in seen)


def test_what_was_done_to_a_node_shows_and_passes() -> None:
    made = grown(1)
    (node,) = nodes.nodes(made, 500.0)
    resizing.record_action(made, 500.0, node.id, "reboot")
    states = {second: next(nodes.nodes(made, 500.0 + second)).state for second in (1, 64, 66, 70)}
    assert states == {1: "rebooting", 64: "rebooting", 66: "starting", 70: "idle"}
    assert nodes.counts_by_state(made, 510.0, "dedicated") == {"rebooting": 1}
    resizing.record_action(made, 600.0, node.id, "disable")
    assert next(nodes.nodes(made, 601.0)).state == "offline"
    resizing.record_action(made, 610.0, node.id, "enable")
    assert next(nodes.nodes(made, 611.0)).state == "idle"


def test_a_reboot_of_a_node_that_still_starts_takes_longer() -> None:
    made = grown(1)
    (node,) = nodes.nodes(made, 500.0)
    moment = node.allocated + 5.0
    assert next(nodes.nodes(made, moment)).state == "starting"
    resizing.record_action(made, moment, node.id, "reboot")
    states = {second: next(nodes.nodes(made, moment + second)).state for second in (1, 124, 126, 130)}
    assert states == {1: "rebooting", 124: "rebooting", 126: "starting", 130: "idle"}


def test_stopping_a_resize_that_would_time_out_reports_only_the_stop() -> None:
    made = grown(2000, timeout_s=300.0)
    resizing.stop_resize(made, 100.0)
    assert [problem.code for problem in nodes.resize_errors(made, HOUR)] == ["ResizeStopped"]


def test_a_moments_resize_after_a_stop_reads_resizing() -> None:
    made = grown(5)
    resizing.stop_resize(made, 10.0)
    resizing.show_resizing(made, 100.0, 0.2)
    assert nodes.allocation_state(made, 100.1) == ("resizing", 100.0)
    assert [problem.code for problem in nodes.resize_errors(made, 101.0)] == ["ResizeStopped"]


def test_a_start_task_runs_again_after_a_reboot() -> None:
    for fails, end in ((False, "idle"), (True, "starttaskfailed")):
        made = grown(1, terms=AllocationTerms(start_task_s=20.0, start_task_fails=fails))
        (node,) = nodes.nodes(made, 500.0)
        resizing.record_action(made, 500.0, node.id, "reboot")
        assert next(nodes.nodes(made, 570.0)).state == "waitingforstarttask"
        assert next(nodes.nodes(made, 600.0)).state == end


def test_a_resize_that_timed_out_before_is_none_of_a_later_stops_business() -> None:
    made = grown(2000, timeout_s=300.0)
    came = nodes.current_nodes(made, 400.0, "dedicated")
    resizing.begin_resize(made, 400.0, {"dedicated": came, "spot": 3}, AllocationTerms(), timeout_s=300.0)
    resizing.stop_resize(made, 401.0)
    assert [problem.code for problem in nodes.resize_errors(made, HOUR)] == ["ResizeStopped"]
    assert "low priority" in nodes.resize_errors(made, HOUR)[0].message


def test_removed_nodes_leave_and_the_others_stay() -> None:
    made = grown(5, 2)
    ids = [node.id for node in nodes.nodes(made, 400.0)]
    resizing.remove_nodes(made, 400.0, ids[:3], timeout_s=900.0, option="requeue")
    assert made.resize is not None
    assert made.resize.dedicated + made.resize.spot == 4
    assert [node.id for node in nodes.nodes(made, 401.0) if node.state == "leavingpool"] == ids[:3]
    assert [node.id for node in nodes.nodes(made, made.resize.ends)] == ids[3:]
    with pytest.raises(KeyError):
        resizing.remove_nodes(made, 600.0, ["tvmps_none_d"], timeout_s=900.0, option="requeue")


def test_nodes_can_be_listed_from_behind_any_of_them() -> None:
    made = grown(30, 10)
    everything = [node.id for node in nodes.nodes(made, 400.0)]
    assert everything == sorted(everything)
    assert [node.id for node in nodes.nodes(made, 400.0, everything[11])] == everything[12:]


def test_100_000_nodes_are_made_counted_and_paged() -> None:
    fleets = [Fleet(f"pool {number}") for number in range(40)]
    for one in fleets:
        resizing.begin_resize(one, 0.0, {"dedicated": 2000, "spot": 500}, AllocationTerms(), timeout_s=HOUR)
    assert sum(nodes.current_nodes(one, HOUR, kind) for one in fleets for kind in nodes.KINDS) == 100_000
    for one in fleets[:3]:
        assert len([node for node, _ in zip(nodes.nodes(one, HOUR), range(1000), strict=False)]) == 1000


@pytest.mark.parametrize(
    "terms",
    [{}, {"unusable": 0.5, "recovering": 0.5}, {"start_task_s": 60.0}, {"preempted_per_h": 2.0}],
    ids=["usual", "unusable", "start task", "preemption"],
)
def test_counts_at_many_times_are_those_of_each_time(terms: dict[str, Any]) -> None:
    fleet = grown(300, 40, AllocationTerms(**terms))
    resizing.begin_resize(fleet, HOUR, {"dedicated": 120, "spot": 10}, AllocationTerms(**terms), timeout_s=900.0)
    resizing.begin_resize(fleet, 2 * HOUR, {"dedicated": 200, "spot": 10}, AllocationTerms(**terms), timeout_s=900.0)
    moments = np.linspace(0.0, 3 * HOUR, 200)
    for kind in nodes.KINDS:
        each = [nodes.counts_by_state(fleet, float(now), kind) for now in moments]
        existing = node_counts.count_nodes(fleet, moments, [kind], usable=False)
        assert existing.tolist() == [sum(one.values()) for one in each]
        usable = node_counts.count_nodes(fleet, moments, [kind], usable=True)
        assert usable.tolist() == [one.get("idle", 0) + one.get("running", 0) for one in each]
    assert existing.max() > 10
