"""Resources that a plan would create, in the form that adoption looks them up."""

from collections.abc import Mapping
from typing import Any

from ops.adoption.findings import Candidate


def candidate(type_: str, name: str, inputs: Mapping[str, Any], *dependencies: str) -> Candidate:
    return Candidate(
        urn=f"urn:pulumi:prod::honeydue::{type_}::{name}",
        type=type_,
        name=name,
        inputs=inputs,
        dependencies=dependencies,
    )
