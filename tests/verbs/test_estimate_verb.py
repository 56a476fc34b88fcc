"""`estimate`, through Session and the command line's own parser, on the local Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchimg_magics import Session, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session() as opened:
        opened.connect(state=":memory:", speed="max")
        yield opened


def test_the_issue_s_own_question(session: Session) -> None:
    found = session.estimate(tasks=10_000, minutes=12, slots=4, deadline="4h")
    best = found.iloc[0]
    assert best["fits"]
    assert (best["kind"], best["nodes"], best["slots"]) == ("spot", 139, 4)
    assert best["makespan_minutes"] <= 240
    assert best["cores"] <= best["cores_free"]
    # 139 nodes, and two load balancers with an address each, of a hundred nodes.
    per_hour = 139 * best["usd_per_node_hour"] + 2 * (0.025 + 0.005)
    assert best["usd"] == pytest.approx(per_hour * best["makespan_minutes"] / 60, rel=1e-3)
    assert "; usd: nodes, OS and data disks, load balancers and public addresses" in found.attrs["caption"]
    assert best["command"] == f"%batchimg create NAME --from-vm VM --vm-size {best['vm_size']} --spot 139"
    assert found.attrs["evictions_per_hour"] == 0.1
    within = found[found["fits"]]
    assert within["usd"].is_monotonic_increasing


def test_a_quota_that_is_short_is_named_with_what_would_fit(session: Session) -> None:
    found = session.estimate(
        tasks=20_000, minutes=60, slots=4, deadline="3h", kind="dedicated", vm_size="Standard_D4s_v5"
    )
    (row,) = found.to_dict("records")
    assert not row["fits"]
    assert row["nodes"] == 2500
    assert (
        "dedicated cores of standardDSv5Family: 10,000 needed, 1,000 of 1,000 free; 250 nodes would take"
        in row["limit"]
    )


def test_a_pool_that_is_there_gets_a_resize_and_its_disks_are_counted(session: Session) -> None:
    size = {"tasks": 100, "minutes": 30, "deadline": "3h", "vm_size": "Standard_D4s_v5", "kind": "dedicated"}
    (alone,) = session.estimate(**size).to_dict("records")
    session.create("sizes", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=2)
    (row,) = session.estimate("sizes", **size).to_dict("records")
    assert row["command"] == f"%batchimg resize sizes --nodes {row['nodes']}"
    assert row["usd_per_node_hour"] > alone["usd_per_node_hour"]
    assert row["cores_free"] == alone["cores_free"]  # what the pool itself holds is there for it


def test_budget_and_deadline_bind_together(session: Session) -> None:
    both = session.estimate(tasks=1000, minutes=10, budget=50, deadline="2h", kind="dedicated")
    assert (both["usd"].dropna() <= 50).all()
    assert (both["makespan_minutes"].dropna() <= 120).all()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"tasks": 10, "minutes": 12, "deadline": "2m"}, "shorter than a node takes to start: about 4 min"),
        ({"tasks": 10, "minutes": 12, "budget": 0.01}, "less than the cost of one node for an hour"),
        ({"tasks": 10, "minutes": 12}, "no deadline and no budget"),
        ({"deadline": "4h"}, "the workload was not given"),
        ({"tasks": 0, "minutes": 12, "deadline": "4h"}, "tasks is 0"),
        ({"tasks": 5, "minutes": 0, "deadline": "4h"}, "minutes is 0"),
        ({"tasks": 5, "minutes": 5, "budget": -2}, "budget is -2"),
        ({"tasks": 5, "minutes": 5, "deadline": "4h", "slots": 0}, "slots is 0"),
        ({"tasks": 5, "minutes": 5, "deadline": "4h", "evictions": 1.5}, "evictions is 1.5"),
        ({"tasks": 5, "minutes": 5, "deadline": "4h", "kind": "cheap"}, "kind is 'cheap'"),
        ({"tasks": 5, "minutes": 5, "deadline": "4h", "vm_size": "Standard_D4s_v"}, "no VM size 'Standard_D4s_v'"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_line(session: Session, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=r".") as raised:
        session.estimate(**asked)
    assert said in raised.value.message
    assert raised.value.hint
    assert "\n" not in raised.value.message


WORK: dict[str, Any] = {"tasks": 1000, "minutes": 12, "deadline": "4h", "slots": 4}


def sizes(found: Any) -> set[str]:
    return set(found.vm_size)


def test_only_sizes_that_the_vm_s_image_boots_on_are_shown(session: Session) -> None:
    every = {"rows": 500, "vm_size": "Standard_*"}
    trusted = session.estimate(from_vm="prep-vm", **WORK, **every)
    # Arm64, generation 1 alone, without Trusted Launch, with NVMe alone although the disk supports SCSI alone.
    assert not sizes(trusted) & {"Standard_D4ps_v5", "Standard_D4_v3", "Standard_HB120rs_v3"}
    assert {"Standard_D4s_v5", "Standard_D4ds_v5", "Standard_NC4as_T4_v3"} <= sizes(trusted)
    first = session.estimate(from_vm="gen1-vm", **WORK, **every)
    assert "Standard_D4_v3" in sizes(first)
    assert not sizes(first) & {"Standard_DC4as_v5", "Standard_D4s_v6", "Standard_D4ps_v5"}
    assert first.attrs["left_out"]["the image is of generation V1"] >= 3
    assert f"{first.attrs['left_out']['the image is for x64']} (the image is for x64)" in first.attrs["caption"]
    assert trusted.command.str.contains(" --from-vm prep-vm --vm-size ").all()


def test_the_prices_are_of_the_vm_s_system(session: Session) -> None:
    size = {"vm_size": "Standard_D4s_v3", "kind": "dedicated"}
    linux, windows = (session.estimate(from_vm=vm, **WORK, **size).iloc[0] for vm in ("gen1-vm", "win-vm"))
    assert windows["usd_per_node_hour"] > linux["usd_per_node_hour"]


def test_a_pattern_without_an_image_means_x64_sizes_first(session: Session) -> None:
    found = session.estimate(**WORK, vm_size="Standard_D4*s_v5", rows=50)
    assert "Standard_D4ps_v5" not in sizes(found)
    assert "1 (Arm64: name a pool or from_vm=)" in found.attrs["caption"]
    assert sizes(session.estimate(**WORK, vm_size="Standard_D*ps_v5", rows=50)) > {"Standard_D4ps_v5"}


def test_a_size_that_no_image_of_the_vm_boots_on_is_refused_with_the_reason(session: Session) -> None:
    with pytest.raises(SpecError, match="no VM size fits: the image is for x64") as caught:
        session.estimate(from_vm="prep-vm", **WORK, vm_size="Standard_D4ps_v5")
    assert caught.value.hint


def test_sizes_that_azure_retires_are_not_proposed(session: Session) -> None:
    found = session.estimate(**WORK, rows=500)
    assert not {name for name in sizes(found) if ("_v3" in name and "L" not in name) or name.startswith("Standard_F")}
    assert "(Azure retires them)" in found.attrs["caption"]
    named = session.estimate(**WORK, vm_size="Standard_F4s_v2", kind="dedicated").iloc[0]
    assert named["limit"] == "Azure retires the size on 2028-11-15"


def test_both_kinds_and_the_pool_s_own_size_are_always_shown(session: Session) -> None:
    session.create("sizes", from_vm="prep-vm", vm_size="Standard_D4s_v5", nodes=2)  # or it is there
    found = session.estimate("sizes", **WORK)
    assert len(found) == 12
    assert set(found.kind) == {"dedicated", "spot"}
    own = found[found.vm_size == "Standard_D4s_v5"]
    assert own.command.str.startswith("%batchimg resize sizes --").all()
    assert len(own) == 2
    assert list(found.vm_size[:2]) == ["Standard_D4s_v5"] * 2
    others = found[found.vm_size != "Standard_D4s_v5"]
    assert others.command.str.startswith("%batchimg create NEW_POOL --from-version /subscriptions/").all()
    assert "options fit, 12 are shown (rows=)" in found.attrs["caption"]


def test_the_options_that_are_shown_differ(session: Session) -> None:
    found = session.estimate(tasks=10_000, minutes=12, slots=4, deadline="4h")
    assert len(found) == 12
    assert min(found.kind.value_counts()) >= 3
    assert {name.removeprefix("Standard_")[0] for name in found.vm_size} >= {"D", "E"}
    assert found.vcpus.nunique() >= 2


def test_create_accepts_what_estimate_says_fits(session: Session) -> None:
    found = session.estimate(from_vm="prep-vm", tasks=2000, minutes=12, deadline="4h", rows=500)
    for row in found[found.fits][::4].to_dict("records"):
        asked = {"nodes" if row["kind"] == "dedicated" else "spot": row["nodes"]}
        checked = session.check("prep-vm", vm_size=row["vm_size"], **asked)
        assert not (checked.severity == "error").any(), (row["vm_size"], checked.to_dict("records"))


def test_a_deadline_that_one_task_exceeds_is_told_as_that(session: Session) -> None:
    with pytest.raises(SpecError, match="30 min is too short: one task and the start of its node take 64 min"):
        session.estimate(tasks=10, minutes=60, deadline="30m")
    assert session.estimate(tasks=10, minutes=60, deadline="70m", kind="dedicated").fits.any()
