"""Azure's errors as a class and a plain sentence."""

from __future__ import annotations

import json

import pytest

from batchimg_magics.core.base import schemas
from batchimg_magics.core.base.diagnosis import diagnose
from batchimg_magics.core.base.outcomes import OutcomeClass
from batchimg_magics.core.scaling.outcomes import classify

FAILED = "Desired number of dedicated nodes could not be allocated"


def provider(code: str, message: str) -> str:
    return "Provider Error Json: " + json.dumps({"error": {"code": code, "message": message}})


@pytest.mark.parametrize(
    ("code", "values", "kind", "said"),
    [
        ("AllocationTimedout", "", "partial", "could not be allocated"),
        ("ResizeStopped", "", "stopped", "could not be allocated"),
        ("AccountCoreQuotaReached", "", "quota", "could not be allocated"),
        ("AccountVMSeriesCoreQuotaReached", "", "quota", "could not be allocated"),
        ("AccountSpotCoreQuotaReached", "", "quota", "could not be allocated"),
        ("CommunicationEnabledPoolReachedMaxVMCount", "", "quota", "could not be allocated"),
        ("UnsupportedVMSize", "", "fatal", "the VM size is not available"),
        ("SomethingNew", "", "partial", "could not be allocated"),
        ("AllocationFailed", "", "transient", "could not be allocated"),
        ("AllocationFailed", provider("InternalExecutionError", "An internal error"), "transient", "An internal error"),
        ("AllocationFailed", provider("NotFound", "The image 'x' was not found."), "fatal", "the image does not exist"),
        (
            "AllocationFailed",
            provider("SkuNotAvailable", "The size is not available"),
            "fatal",
            "is not available in this region",
        ),
        ("AllocationFailed", provider("LinkedAuthorizationFailed", "no"), "fatal", "Batch has no permission"),
        ("AllocationFailed", provider("RequestDisallowedByPolicy", "no"), "fatal", "an Azure policy denies it"),
        ("AllocationFailed", provider("SubnetIsFull", "no"), "fatal", "the subnet has no free IP addresses"),
        (
            "AllocationFailed",
            provider("BadRequest", "The selected VM size 'S' cannot boot Hypervisor Generation '2'."),
            "fatal",
            "Hyper-V generation is not supported",
        ),
        (
            "AllocationFailed",
            provider("BadRequest", "Please check that disk controller types supported by the OS image"),
            "fatal",
            "does not boot from the VM size's disk controller",
        ),
        ("AllocationFailed", provider("VMMarketplaceInvalidInput", "Plan information"), "fatal", "a purchase plan"),
        (
            "AllocationFailed",
            provider("BadRequest", "only supports creation of VMs with 'TrustedLaunch' security type."),
            "fatal",
            "security type",
        ),
        (
            "AllocationFailed",
            provider("OperationNotAllowed", "exceeding approved Total Regional Cores quota"),
            "quota",
            "approved Total Regional Cores quota",
        ),
        ("AllocationFailed", "Reason: The limit of nodes has been reached", "quota", "limit of nodes"),
    ],
)
def test_every_error_has_a_class_and_a_sentence(code: str, values: str, kind: str, said: str) -> None:
    verdict = classify([(code, FAILED, values)])
    assert (verdict.kind, verdict.code) == (kind, code)
    assert said in (verdict.message or "")
    assert "{" not in (verdict.message or "")
    assert verdict.fix or code == "SomethingNew"


def test_every_class_of_the_table_is_a_word_of_the_column() -> None:
    column = next(one for one in schemas.SCHEMAS["resize"] if one.name == "class")
    assert column.allowed_values == tuple(one.value for one in OutcomeClass)
    assert all("{" not in one.hint.format(again="", fix="") for one in OutcomeClass)


def test_the_gravest_of_several_decides() -> None:
    errors = [(code, FAILED, "") for code in ("AllocationTimedout", "AccountCoreQuotaReached", "ResizeStopped")]
    assert classify(errors).code == "AccountCoreQuotaReached"
    assert classify([]).kind == "done"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("it just failed", "it just failed"),
        ("{ torn", "{ torn"),
        (json.dumps({"error": {"code": "C", "message": "plain"}}), "C: plain"),
        (json.dumps({"error": {"code": "BadRequest", "message": "outer", "details": [{"code": "In", "message": "n"}]}}),
         "In: n"),
        (json.dumps({"code": "DeploymentFailed", "message": json.dumps({"error": {"code": "X", "message": "deep"}})}),
         "X: deep"),
        (json.dumps({"error": {"code": "Quota", "message": "Quota is reached"}}), "Quota is reached"),
        (json.dumps({"error": {"code": "A", "innererror": {"code": "B", "message": "b\nRequestId:1"}}}), "B: b"),
        (json.dumps({"error": {"code": "BadRequest", "message": {"lang": "en", "value": "told"}}}), "BadRequest: told"),
    ],
)  # fmt: skip
def test_json_in_json_is_unpacked(text: str, said: str) -> None:
    assert str(diagnose(text).error) == said


@pytest.mark.parametrize(
    ("code", "message", "kind", "said"),
    [
        ("NotFound", "The 'Microsoft.Network/virtualNetworks/v' was not found.", "fatal", "virtual network"),
        ("SkuNotAvailable", "The size is currently not available in location 'x'.", "transient", "no capacity"),
        ("OverconstrainedAllocationRequestError", FAILED, "transient", "with these constraints just now"),
        ("SomethingNew", 'We saw {"a": 1}', "partial", "We saw"),
    ],
)
def test_a_code_that_batch_passes_on(code: str, message: str, kind: str, said: str) -> None:
    verdict = classify([(code, message, "")])
    assert (verdict.kind, said in (verdict.message or "")) == (kind, True)
    assert "{" not in (verdict.message or "")
