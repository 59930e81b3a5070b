"""What all groups of settings have in common."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """Never changed once read; a key it does not know is a mistake. camelCase in YAML, snake_case here."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)
