"""Pulumi.yaml declares exactly the settings that the program reads."""

from typing import Any

import yaml
from pydantic.alias_generators import to_camel

from infra.settings.loading import UNSET_VALUES
from infra.settings.schema import Settings
from infra.settings.secrets import SECRETS
from tests.recipes import ROOT

DECLARED: dict[str, Any] = {
    key: declared
    for key, declared in yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"].items()
    if ":" not in key
}


def test_every_setting_is_declared_with_a_description() -> None:
    assert DECLARED.keys() == {to_camel(name) for name in Settings.model_fields} | SECRETS.keys()
    assert [key for key, declared in DECLARED.items() if not declared.get("description")] == []


def test_the_engine_leaves_every_error_to_the_program() -> None:
    """It would stop at the first key without a value or with a value of another type."""
    assert {declared["default"] for declared in DECLARED.values()} <= set(UNSET_VALUES)
    assert {key for declared in DECLARED.values() for key in declared} == {"default", "description"}
