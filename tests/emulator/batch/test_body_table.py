"""The table of body types has what the models of azure-batch and Microsoft's OpenAPI have."""

from __future__ import annotations

import enum
import inspect
import json
import typing
from typing import Any

import azure.batch.models
import pytest
from azure.batch import models

from batchimg_magics.emulator.batch.rest import dialects
from batchimg_magics.emulator.batch.rest.body_types import TYPES, Member
from tests.support.openapi import BATCH, MISSING

#: Type of the table -> the model of the SDK. Types of their members follow.
ROOTS = {
    "PoolAddParameter": "BatchPoolCreateOptions",
    "PoolPatchParameter": "BatchPoolUpdateOptions",
    "PoolUpdatePropertiesParameter": "BatchPoolReplaceOptions",
    "PoolResizeParameter": "BatchPoolResizeOptions",
    "NodeRemoveParameter": "BatchNodeRemoveOptions",
    "PoolEnableAutoScaleParameter": "BatchPoolEnableAutoScaleOptions",
    "PoolEvaluateAutoScaleParameter": "BatchPoolEvaluateAutoScaleOptions",
    "JobAddParameter": "BatchJobCreateOptions",
    "JobPatchParameter": "BatchJobUpdateOptions",
    "JobDisableParameter": "BatchJobDisableOptions",
    "TaskAddParameter": "BatchTaskCreateOptions",
    "ComputeNodeUser": "BatchNodeUserCreateOptions",
    "NodeUpdateUserParameter": "BatchNodeUserReplaceOptions",
}
#: Required members that rules refuse, because something else is known there, and those that recordings do not show.
BY_RULE = {
    *("PoolAddParameter.id", "PoolAddParameter.vmSize", "PoolSpecification.vmSize", "UserAccount.password"),
    *("PoolUpdatePropertiesParameter.metadata", "PoolUpdatePropertiesParameter.applicationPackageReferences"),
    "PoolUpdatePropertiesParameter.certificateReferences",
}


def members(model: Any) -> dict[str, tuple[Any, bool]]:
    """Return the type of each member of a model by its name on the wire, and whether a request must have it."""
    hints = typing.get_type_hints(model, vars(azure.batch.models) | {"_models": azure.batch.models})
    model.__new__(model)  # the SDK names the fields when it first creates a model
    found = {}
    for name, field in model._attr_to_rest_field.items():  # noqa: SLF001 - the SDK has no public way
        if "create" not in (field._visibility or ["create"]):  # noqa: SLF001 - the same
            continue
        parts = typing.get_args(hints[name])
        optional = type(None) in parts
        kinds = [one for one in parts if one is not type(None)] if optional else [hints[name]]
        found[field._rest_name] = (kinds[0] if len(kinds) == 1 else typing.Union[tuple(kinds)], not optional)  # noqa: SLF001, UP007
    return found


def pairs() -> dict[str, Any]:
    """Return each type of the table with its model."""
    found: dict[str, Any] = {}
    waiting = [(name, getattr(models, model)) for name, model in ROOTS.items()]
    while waiting:
        name, model = waiting.pop()
        if name in found:
            continue
        found[name] = model
        for wire, (kind, _) in members(model).items():
            inner = typing.get_args(kind)[0] if typing.get_origin(kind) is list else kind
            member = TYPES[name].get(wire)
            if member is not None and member.kind in TYPES and inspect.isclass(inner):
                waiting.append((member.kind, inner))
    return found


def words(kind: Any) -> set[str]:
    """Return the values of an enumeration in lower case."""
    inner = typing.get_args(kind)[0] if typing.get_origin(kind) is list else kind
    enums = [one for one in typing.get_args(inner) if inspect.isclass(one) and issubclass(one, enum.Enum)]
    return {one.value.lower() for each in enums for one in each}


def table_words(name: str, member: Member) -> set[str]:
    return set(member.words) or set(dialects._TO_BATCH.get(name, ()))  # noqa: SLF001 - the table of words


PAIRS = pairs()


@pytest.mark.parametrize("kind", PAIRS)
def test_a_type_has_the_members_of_its_model(kind: str) -> None:
    for name, (hint, required) in members(PAIRS[kind]).items():
        member = TYPES[kind][name]
        assert member.exists_in("2025-06-01")
        assert member.many == (typing.get_origin(hint) is list)
        assert member.required == required or f"{kind}.{name}" in BY_RULE, name
        if wanted := words(hint):
            assert table_words(name, member) == wanted, name


def test_all_models_of_requests_are_compared() -> None:
    assert len(PAIRS) > 60


@pytest.mark.skipif(not BATCH[0].exists(), reason=MISSING)
def test_the_limits_of_the_document_are_those_of_the_table() -> None:
    definitions = json.loads(BATCH[0].read_text())["definitions"]
    compared = 0
    for kind, table in TYPES.items():
        for name, described in definitions.get(kind, {}).get("properties", {}).items():
            member = table.get(name)
            assert member is not None, (kind, name)
            assert member.exists_in("2024-02-01.19.0"), (kind, name)
            for key, limit in (("minimum", member.least), ("maximum", member.most)):
                if key in described:
                    assert described[key] == limit, (kind, name)
                    compared += 1
            if name in definitions[kind].get("required", []):
                assert member.required or f"{kind}.{name}" in BY_RULE, (kind, name)
    assert compared >= 6
