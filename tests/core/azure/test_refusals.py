"""Requests that Azure refuses: the error and its hint follow Azure's code, not the status alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from batchimg_magics import errors
from batchimg_magics.core.azure.polling import operation_error
from batchimg_magics.session.session import Session
from tests.support.compute_emulator import ComputeEmulator, definition
from tests.support.connections import emulator_of
from tests.support.faults import set_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = {"from_vm": "prep-vm", "vm_size": "Standard_D2s_v5", "nodes": 0}
IDENTIFIERS = json.dumps([{"policyAssignment": {"name": "Only ours"}, "policyDefinition": {"name": "Allowed types"}}])

REFUSALS: dict[str, tuple[int, str, type[errors.ServiceError], str]] = {
    "ScopeLocked": (
        409,
        "The scope '/s/x' cannot perform write operation because following scope(s) are locked: '/s/0/res'.",
        errors.LockError,
        "remove the lock on /s/0/res",
    ),
    "RequestDisallowedByPolicy": (
        403,
        f"Resource 'x' was disallowed by policy. Policy identifiers: '{IDENTIFIERS}'.",
        errors.PolicyError,
        "ask the administrator of the policy",
    ),
    "RequestDisallowedByAzure": (
        403,
        "Resource 'x' was disallowed by Azure: a set of best available regions.",
        errors.ServiceError,
        "choose another region",
    ),
    "MissingSubscriptionRegistration": (
        409,
        "The subscription is not registered to use namespace 'Microsoft.Compute'.",
        errors.ConflictError,
        "`az provider register --namespace Microsoft.Compute`",
    ),
    "OperationNotAllowed": (
        409,
        "Operation could not be completed as it results in exceeding approved Total Regional Cores quota.",
        errors.ConflictError,
        "request more quota",
    ),
    "ReadOnlyDisabledSubscription": (409, "The subscription is disabled.", errors.ConflictError, "enable it"),
    "AuthorizationFailed": (
        403,
        "'c' does not have authorization to perform action 'a/b' over scope '/s/0' or the scope is invalid.",
        errors.AuthenticationError,
        "a role that allows a/b on /s/0",
    ),
    "Forbidden": (403, "No.", errors.AuthenticationError, "request a role"),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Session]:
    with Session() as session:
        session.connect(state=":memory:", speed="max")
        yield session


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_by_its_code(shared: Session, code: str) -> None:
    status, message, kind, hint = REFUSALS[code]
    set_faults(shared, method="PUT", path="/snapshots/", status=status, code=code, message=message, times=None)
    with pytest.raises(errors.ServiceError) as caught:
        shared.create("p", **LINE)
    set_faults(shared)
    error = caught.value
    assert (type(error), error.code, error.status_code) == (kind, code, status)
    assert hint in error.hint
    assert error.message.startswith(f"{code}: {message.partition(' Policy identifiers')[0].rstrip('.')}")
    assert "{" not in error.message
    if isinstance(error, errors.PolicyError):
        assert (error.policy, error.assignment) == ("Allowed types", "Only ours")
        assert "policy 'Allowed types' (assignment 'Only ours')" in error.message
    if isinstance(error, errors.LockError):
        assert error.scopes == ("/s/0/res",)
    assert isinstance(error, errors.AuthenticationError) or "role" not in error.hint


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ScopeLocked", "are locked: '/x'."),
        ("OperationNotAllowed", "exceeding the quota"),
        ("Denied", "something else"),
    ],
)
def test_only_a_taken_number_is_tried_again(shared: Session, code: str, message: str) -> None:
    set_faults(shared, method="PUT", path="/versions/", status=409, code=code, message=message, times=1)
    with pytest.raises(errors.ConflictError, match=message):
        shared.create("p", **LINE)
    assert emulator_of(shared).store.meta("faults") == []


def test_a_number_that_somebody_took_is_tried_again_and_deletion_waits(shared: Session) -> None:
    set_faults(shared, method="PUT", path="/versions/", status=409, code="Conflict", message="taken", times=2)
    assert "created" in set(shared.create("p", **LINE).action)
    late = {"method": "DELETE", "status": 409, "code": "CannotDeleteResource", "message": "nested resources exist"}
    set_faults(shared, path="/images/p$", times=2, **late)
    assert set(shared.delete("p", image=True, yes=True).action) == {"deleted"}
    assert emulator_of(shared).store.meta("faults") == []


def test_a_definition_and_a_gallery_stay_for_a_while_after_their_last_version() -> None:
    compute = ComputeEmulator()
    compute.make("galleries/lab", {})
    compute.make("galleries/lab/images/i", definition())
    assert compute.ask("DELETE", "galleries/lab/images/i").status == 202
    compute.clock.advance(2)
    assert compute.ask("GET", "galleries/lab/images/i").status == 404
    refused = compute.ask("DELETE", "galleries/lab")
    assert (refused.status, refused.code) == (409, "CannotDeleteResource")
    compute.clock.advance(20)
    assert compute.ask("DELETE", "galleries/lab").status == 202


def test_an_operation_that_fails_has_the_mend_of_its_cause() -> None:
    error = {"code": "AllocationFailed", "message": "We do not have sufficient capacity in this region."}
    capacity = operation_error("VM x", "/subscriptions/0/x", "Failed", error)
    assert "Azure has no capacity for the VM size just now" in capacity.message
    assert capacity.hint.startswith("try again later, or choose another VM size or region; then delete 'x'")
    odd = operation_error("VM x", "/subscriptions/0/x", "Failed", {"code": "Odd", "message": "odd"})
    assert odd.message == "VM x ended as Failed: Odd: odd"
