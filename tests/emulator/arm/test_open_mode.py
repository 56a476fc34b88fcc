"""Open mode is read and set in one module."""

from __future__ import annotations

from pathlib import Path

from batchimg_magics import emulator
from batchimg_magics.emulator.arm import open_world


def test_one_module_has_the_setting() -> None:
    modules = Path(emulator.__path__[0]).rglob("*.py")
    assert [path.stem for path in modules if "open_groups" in path.read_text(encoding="utf-8")] == ["open_world"]


def test_open_mode_can_be_turned_off() -> None:
    store = emulator.create_app().store
    assert open_world.is_open(store)
    assert open_world.has_subscription(store, "any")
    assert open_world.has_group(store, "/subscriptions/any/resourcegroups/g", named=True)
    open_world.set_open(store, value=False)
    assert not open_world.is_open(store)
    assert not open_world.has_subscription(store, "any")
    assert not open_world.has_group(store, "/subscriptions/any/resourcegroups/g", named=True)
