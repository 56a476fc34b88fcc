"""A program for an environment of its own: tables of typed columns from pages of nodes, by polars or by pyarrow.

Arguments: the tool, and the folder with the pages. It makes one table for each line of its input, and prints how many
rows it has and how many seconds of the processor it took.
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TEXTS = (
    "id", "state", "schedulingState", "stateTransitionTime", "allocationTime", "lastBootTime", "vmSize", "ipAddress",
)  # fmt: skip
TIMES = {"state_since": "stateTransitionTime", "allocated": "allocationTime", "booted": "lastBootTime"}
#: The column's name, and the member that it is.
PLAIN = {"node_id": "id", "dedicated": "isDedicated", "vm_size": "vmSize", "ip": "ipAddress",
         "running_tasks": "runningTasksCount"}  # fmt: skip
WORDS = {"state": "state", "scheduling": "schedulingState"}


def with_polars(pages: Sequence[bytes]) -> Callable[[], Any]:
    """Return a function that makes a polars DataFrame; the schema is given, so that nothing is inferred."""
    import polars as pl  # type: ignore[import-not-found] # it is not in the project's own environment

    node = dict.fromkeys(TEXTS, pl.String) | {
        "isDedicated": pl.Boolean,
        "runningTasksCount": pl.Int64,
        "startTaskInfo": pl.Struct({"state": pl.String, "exitCode": pl.Int64}),
        "errors": pl.List(pl.Struct({"code": pl.String, "message": pl.String})),
        "virtualMachineInfo": pl.Struct({"imageReference": pl.Struct({"virtualMachineImageId": pl.String})}),
        "nodeAgentInfo": pl.Struct({"version": pl.String}),
    }
    schema = {"value": pl.List(pl.Struct(node))}
    form = "%Y-%m-%dT%H:%M:%S%.fZ"
    start, one = pl.col("startTaskInfo").struct, pl.element().struct
    image = pl.col("virtualMachineInfo").struct.field("imageReference").struct.field("virtualMachineImageId")
    columns = [
        *(pl.col(member).alias(name) for name, member in PLAIN.items()),
        *(pl.col(member).cast(pl.Categorical).alias(name) for name, member in WORDS.items()),
        *(
            pl.col(member).str.to_datetime(form, time_unit="us", time_zone="UTC").alias(name)
            for name, member in TIMES.items()
        ),
        start.field("state").cast(pl.Categorical).alias("start_task"),
        start.field("exitCode").alias("exit_code"),
        pl.col("errors").list.eval(one.field("code") + ": " + one.field("message")).list.join("; ").alias("errors"),
        image.str.split("/").list.last().alias("image_version"),
        pl.col("nodeAgentInfo").struct.field("version").alias("agent_version"),
    ]

    def table() -> Any:
        read = [pl.read_json(io.BytesIO(page), schema=schema).explode("value").unnest("value") for page in pages]
        return pl.concat(read).select(columns)

    return table


def with_pyarrow(pages: Sequence[bytes]) -> Callable[[], Any]:
    """Return a function that makes a pyarrow Table; the schema is given, so that nothing is inferred."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import json

    text = pa.string()
    node = pa.struct(
        [
            *((name, text) for name in TEXTS),
            ("isDedicated", pa.bool_()),
            ("runningTasksCount", pa.int64()),
            ("startTaskInfo", pa.struct([("state", text), ("exitCode", pa.int64())])),
            ("errors", pa.list_(pa.struct([("code", text), ("message", text)]))),
            (
                "virtualMachineInfo",
                pa.struct([("imageReference", pa.struct([("virtualMachineImageId", text)]))]),
            ),
            ("nodeAgentInfo", pa.struct([("version", text)])),
        ]
    )
    parsing = json.ParseOptions(
        explicit_schema=pa.schema([("value", pa.list_(node))]), unexpected_field_behavior="ignore"
    )
    reading = json.ReadOptions(block_size=1 << 24)  # a page is one line

    def joined(errors: Any) -> Any:
        inner = errors.flatten()
        if not len(inner):
            return pa.nulls(len(errors), text)
        each = pc.binary_join_element_wise(pc.struct_field(inner, "code"), pc.struct_field(inner, "message"), ": ")
        return pc.binary_join(pa.ListArray.from_arrays(errors.offsets, each), "; ")

    def moment(texts: Any) -> Any:
        # It parses no fraction of seven digits, which is what Azure writes.
        cut = pc.utf8_slice_codeunits(pc.utf8_rtrim(texts, "Z"), 0, 26)
        return cut.cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))

    def table() -> Any:
        read = [json.read_json(io.BytesIO(page), parse_options=parsing, read_options=reading) for page in pages]
        nodes = pa.concat_arrays([chunk.flatten() for one in read for chunk in one["value"].chunks])

        def field(*path: str) -> Any:
            return pc.struct_field(nodes, list(path))

        image = field("virtualMachineInfo", "imageReference", "virtualMachineImageId")
        return pa.table(
            {name: field(member) for name, member in PLAIN.items()}
            | {name: field(member).dictionary_encode() for name, member in WORDS.items()}
            | {name: moment(field(member)) for name, member in TIMES.items()}
            | {
                "start_task": field("startTaskInfo", "state").dictionary_encode(),
                "exit_code": field("startTaskInfo", "exitCode"),
                "errors": joined(field("errors")),
                "image_version": pc.replace_substring_regex(image, ".*/", ""),
                "agent_version": field("nodeAgentInfo", "version"),
            }
        )

    return table


def main(tool: str, folder: str) -> None:
    """Make a table for each line of the input."""
    pages = [file.read_bytes() for file in sorted(Path(folder).iterdir())]
    table = {"polars": with_polars, "pyarrow": with_pyarrow}[tool](pages)
    for _ in sys.stdin:
        began = time.process_time()
        made = table()
        spent = time.process_time() - began
        sys.stdout.write(f"{len(made)} {len(made.columns)} {spent}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
