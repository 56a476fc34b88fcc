"""The dates in ``data/retirements.json``: their form, their sources, and which real names they are about."""

from __future__ import annotations

import datetime as dt
import json
import re
from importlib import resources

import jsonschema
import msgspec
import pytest

from batchimg_magics.core.batch.retirements import Retirement, end_of, find_retirement, read_retirements

FILE = resources.files("batchimg_magics") / "data" / "retirements.json"
#: Hosts of Microsoft's own documents and notices.
SOURCES = (
    "https://learn.microsoft.com/", "https://azure.microsoft.com/updates/", "https://github.com/Azure/Batch/issues/",
    "https://github.com/Azure/azure-rest-api-specs/",
)  # fmt: skip
#: Size, and the day on which it ends; None: not announced. Names as ``az vm list-skus`` prints them.
SIZES = {
    "Standard_A2": "2024-08-31", "Basic_A1": "2024-08-31", "Standard_A9": "2021-03-01", "Standard_A4_v2": "2028-11-15",
    "Standard_A4m_v2": "2028-11-15", "Standard_B2ms": "2028-11-15", "Standard_B2s_v2": None, "Standard_B2ats_v2": None,
    "Standard_D2": "2028-05-01", "Standard_DS13-2": "2028-05-01", "Standard_D15i_v2": "2028-05-01",
    "Standard_DS3_v2_Promo": "2028-05-01", "Standard_DS14-8_v2": "2028-05-01", "Standard_D4_v3": "2029-11-15",
    "Standard_D4s_v3": "2029-11-15", "Standard_E64is_v3": "2029-11-15", "Standard_E8-4s_v3": "2029-11-15",
    "Standard_D4s_v4": None, "Standard_D4ds_v5": None, "Standard_E4s_v5": None, "Standard_D4ps_v5": None,
    "Standard_F4": "2028-11-15", "Standard_F8s": "2028-11-15", "Standard_F64s_v2": "2028-11-15",
    "Standard_F4als_v6": None, "Standard_GS5-16": "2028-11-15", "Standard_G3": "2028-11-15",
    "Standard_L8s": "2028-05-01", "Standard_L8s_v2": "2028-11-15", "Standard_L8s_v3": None,
    "Standard_M192idms_v2": "2027-03-31", "Standard_M192is_v2": "2027-03-31", "Standard_M64s": None,
    "Standard_DC2s_v2": "2026-06-30", "Standard_DC2ds_v3": "2029-10-31", "Standard_DC4as_cc_v5": "2026-09-01",
    "Standard_DC4as_v5": None, "Standard_EC8ads_cc_v5": "2026-09-01",
    "Standard_H16mr": "2022-08-31", "Standard_HB60rs": "2024-08-31",
    "Standard_HB120-16rs_v2": "2027-05-31", "Standard_HB120rs_v3": None, "Standard_HC44rs": "2027-05-31",
    "Standard_HX176rs": None, "Standard_NC6": "2023-09-06", "Standard_NC24r_Promo": "2023-09-06",
    "Standard_NC12s_v2": "2023-09-06", "Standard_NC24s_v3": "2025-09-30", "Standard_NC24rs_v3": "2025-03-31",
    "Standard_NC4as_T4_v3": None, "Standard_NC24ads_A100_v4": None, "Standard_ND24rs": "2023-09-06",
    "Standard_ND40rs_v2": None, "Standard_ND96isr_H100_v5": None, "Standard_NV12": "2023-09-06",
    "Standard_NV12s_v3": "2026-09-30", "Standard_NV8as_v4": "2026-09-30", "Standard_NV36ads_A10_v5": None,
    "Standard_NP20s": "2027-05-31",
}  # fmt: skip


def test_the_file_is_valid_and_every_entry_has_a_source_and_dates() -> None:
    entries = json.loads(FILE.read_text("utf-8"))
    schema = msgspec.json.schema(tuple[Retirement, ...])
    jsonschema.validate(entries, schema, format_checker=jsonschema.FormatChecker())
    for entry in entries:
        assert entry["source"].startswith(SOURCES), entry
        assert dt.date.fromisoformat(entry["checked"]) >= dt.date(2026, 11, 30)
        dt.date.fromisoformat(entry["date"])
        re.compile(entry["pattern"])
    assert len({(entry["kind"], entry["pattern"]) for entry in entries}) == len(entries) >= 50


@pytest.mark.parametrize(("size", "day"), SIZES.items(), ids=str)
def test_a_size_has_the_day_of_its_series(size: str, day: str | None) -> None:
    for name in (size, size.upper(), size.lower()):
        assert str(end_of("vm-size", name)) == str(day)


def test_every_pattern_of_sizes_is_about_one_of_these_names() -> None:
    patterns = {one.pattern for one in read_retirements() if one.kind == "vm-size"}
    found = {one.pattern for size in SIZES if (one := find_retirement("vm-size", size)) is not None}
    assert found == patterns


def test_node_agents_and_images() -> None:
    agents = {
        "batch.node.centos 7": "2024-06-30", "batch.node.debian 10": "2024-12-31", "batch.node.debian 12": None,
        "batch.node.ubuntu 18.04": "2023-05-30", "batch.node.ubuntu 20.04": "2025-04-23",
        "batch.node.ubuntu 22.04-arm64": "2027-06-30", "batch.node.ubuntu 24.04": None, "batch.node.el 8": None,
        "batch.node.mariner 2.0": "2025-07-30", "batch.node.windows amd64": None,
    }  # fmt: skip
    assert {name: end_of("node-agent", name) and str(end_of("node-agent", name)) for name in agents} == agents
    assert str(end_of("image", "MicrosoftWindowsServer:WindowsServer:2016-Datacenter")) == "2027-01-12"
    assert end_of("image", "MicrosoftWindowsServer:WindowsServer:2022-datacenter-g2") is None
    assert str(end_of("image", "almalinux:almalinux:9-gen2")) == "2024-12-29"
    assert end_of("image", "almalinux:almalinux-x86_64:9-gen2") is None


def test_the_end_in_batch_s_own_list_counts() -> None:
    assert str(end_of("vm-size", "Basic_A1", "2028-11-15T00:00:00Z")) == "2028-11-15"
    assert str(end_of("vm-size", "Standard_D4s_v5", "2030-01-01T00:00:00Z")) == "2030-01-01"
    assert str(end_of("api-version", "batch 2017-09-01.6.0")) == "2021-04-01"
    assert end_of("api-version", "batch 2019-08-01.10.0") is None
