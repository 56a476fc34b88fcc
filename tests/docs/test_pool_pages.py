"""The pages about pools are correct."""

from __future__ import annotations

import re

import pytest
import yaml

from batchimg_magics.pool_spec.node import NodeSpec
from batchimg_magics.pool_spec.pool import PoolSpec
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "pools.md"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the example of the page; its secrets are there."""
    found = re.search(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    for name in re.findall(r"env:(\w+)", found[1]):
        monkeypatch.setenv(name, "a secret")
    return found[1]


def test_the_example_is_one(example: str) -> None:
    spec = PoolSpec.build("genomics", example)
    assert spec.user_accounts[0].name == "worker"
    assert spec.application_packages == {"aligner": "2", "viewer": None}


def test_the_example_has_everything(example: str) -> None:
    response = PAGE.read_text(encoding="utf-8")
    said = yaml.safe_load(example)
    assert [name for name in NodeSpec.model_fields if name not in said and f"`{name}: " not in response] == []
