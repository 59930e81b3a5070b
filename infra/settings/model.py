"""The base class of all settings models."""

from enum import Enum

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """Immutable. Rejects unknown keys. Fields are camelCase in YAML and snake_case in Python.

    A validator that compares two fields belongs to the later one: pydantic validates fields in the order of their
    declaration and passes the valid ones in `info.data`. Such a validator reports nothing while the earlier field is
    invalid, so that one mistake is one error. tests/unit/test_settings.py checks the order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class Effect(Enum):
    """Metadata of a setting in infra/settings/topology.py: how a running cluster can take a new value.

    A setting without it cannot change while a server of the cluster exists (infra/settings/node_facts.py).
    """

    ALWAYS = "an `up` applies it, or only what is created later reads it"
    NEW_NODES = "new nodes have it. Existing nodes keep the old value, and both values work in one cluster"
    MANUAL = "an operator changes all nodes by hand, and then the setting for new ones"
