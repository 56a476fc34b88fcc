"""The base class of the parts of a spec, and types of values in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from batchimg_magics.errors import SpecError
from batchimg_magics.masking import mask_values
from batchimg_magics.resource_ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "MODEL_CONFIG",
    "DiskEncryptionSetId",
    "IdentityId",
    "PublicAddressId",
    "RelativePath",
    "SpecModel",
    "SubnetId",
    "Text",
    "choice",
    "first_duplicate",
    "masked_fields",
]

#: Unknown keys are errors; input is hidden in pydantic's errors, since it may contain secrets.
MODEL_CONFIG = ConfigDict(
    extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True, coerce_numbers_to_str=True
)

T = TypeVar("T")
Text = Annotated[str, Field(min_length=1)]


class SpecModel(BaseModel):
    """A part of a spec: a mapping in YAML, whose keys may use hyphens instead of underscores."""

    model_config = MODEL_CONFIG

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        return masked_fields(super().__repr_args__())

    @model_validator(mode="before")
    @classmethod
    def _normalize_keys(cls, value: Any) -> Any:  # noqa: ANN401 - any YAML value
        return {str(key).replace("-", "_"): one for key, one in value.items()} if isinstance(value, dict) else value


def masked_fields(fields: Iterable[tuple[str | None, Any]]) -> Iterator[tuple[str | None, Any]]:
    """Return the fields that the representation of a spec shows: an output of a notebook keeps it."""
    return ((name, mask_values({name: value})[name]) for name, value in fields)


def _check_type(text: str, kind: str, example: str) -> str:
    resource_id = ResourceId.parse(text)
    if resource_id.type.lower() != kind.lower():
        raise SpecError(
            f"{text} is a {resource_id.type}, not a {kind}", hint=f"expected an id that ends with {example}"
        )
    return str(resource_id)


def _subnet(text: str) -> str:
    return _check_type(text, "Microsoft.Network/virtualNetworks/subnets", "/virtualNetworks/NAME/subnets/NAME")


def _identity(text: str) -> str:
    kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
    return _check_type(text, kind, "/userAssignedIdentities/NAME")


def _public_address(text: str) -> str:
    return _check_type(text, "Microsoft.Network/publicIPAddresses", "/publicIPAddresses/NAME")


def _disk_encryption_set(text: str) -> str:
    return _check_type(text, "Microsoft.Compute/diskEncryptionSets", "/diskEncryptionSets/NAME")


def choice(*words: str, also: dict[str, str] | None = None) -> BeforeValidator:
    """Return a validator that accepts a word in any case, and returns Azure's spelling."""
    known = {word.lower(): word for word in words} | (also or {})
    return BeforeValidator(lambda value: known.get(str(value).strip().lower(), value))


def first_duplicate(values: Sequence[T]) -> T | None:
    """Return the first value that occurs again; None if all differ."""
    return next((value for place, value in enumerate(values) if value in values[:place]), None)


def _relative(text: str) -> str:
    if text.startswith(("/", "\\")) or ".." in text.replace("\\", "/").split("/"):
        raise SpecError(f"{text} is outside its folder", hint="use a path inside the folder, for example data")
    return text


SubnetId = Annotated[str, AfterValidator(_subnet)]
IdentityId = Annotated[str, AfterValidator(_identity)]
PublicAddressId = Annotated[str, AfterValidator(_public_address)]
DiskEncryptionSetId = Annotated[str, AfterValidator(_disk_encryption_set)]
#: A path inside a folder on the node that Batch defines.
RelativePath = Annotated[Text, AfterValidator(_relative)]
