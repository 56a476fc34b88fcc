"""What the parts of a spec have in common, and the plain kinds of values in them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.resource_ids import ResourceId

__all__ = ["MODEL_CONFIG", "IdentityId", "RelativePath", "SpecModel", "SubnetId", "Text"]

#: Unknown keys are refused, and no error of pydantic's quotes what it was given.
MODEL_CONFIG = ConfigDict(
    extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True, coerce_numbers_to_str=True
)

Text = Annotated[str, Field(min_length=1)]


class SpecModel(BaseModel):
    """A part of a spec: a mapping in YAML, whose keys may have hyphens in place of underscores."""

    model_config = MODEL_CONFIG

    @model_validator(mode="before")
    @classmethod
    def _normalize_keys(cls, value: Any) -> Any:  # noqa: ANN401 - anything that YAML can say
        return {str(key).replace("-", "_"): one for key, one in value.items()} if isinstance(value, dict) else value


def _check_type(text: str, kind: str, example: str) -> str:
    found = ResourceId.parse(text)
    if found.type.lower() != kind.lower():
        raise SpecError(f"{text} is a {found.type}, not a {kind}", hint=f"it ends in {example}")
    return str(found)


def _subnet(text: str) -> str:
    return _check_type(text, "Microsoft.Network/virtualNetworks/subnets", "/virtualNetworks/NAME/subnets/NAME")


def _identity(text: str) -> str:
    kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
    return _check_type(text, kind, "/userAssignedIdentities/NAME")


def _relative(text: str) -> str:
    if text.startswith(("/", "\\")) or ".." in text.replace("\\", "/").split("/"):
        raise SpecError(f"{text} leads out of its folder", hint="give a path below it, e.g. data")
    return text


SubnetId = Annotated[str, AfterValidator(_subnet)]
IdentityId = Annotated[str, AfterValidator(_identity)]
#: A path below a folder of Batch's.
RelativePath = Annotated[Text, AfterValidator(_relative)]
