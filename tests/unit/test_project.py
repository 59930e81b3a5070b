"""Pulumi.yaml declares exactly the settings that the program reads."""

from typing import Any

import yaml
from pydantic.alias_generators import to_camel

from infra.settings.loading import UNSET_VALUES
from infra.settings.schema import Settings
from infra.settings.secrets import REQUIRED, SECRETS
from tests.recipes import EXAMPLE, ROOT

DECLARED: dict[str, Any] = {
    key: declared
    for key, declared in yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"].items()
    if ":" not in key
}


def test_every_setting_is_declared_with_type_and_description() -> None:
    assert DECLARED.keys() == {to_camel(name) for name in Settings.model_fields} | SECRETS.keys()
    assert [
        key for key, declared in DECLARED.items() if not declared.get("type") or not declared.get("description")
    ] == []


def test_required_settings_and_secrets_have_no_default() -> None:
    empty = {key for key, declared in DECLARED.items() if str(declared.get("default", "none")) in UNSET_VALUES}
    assert empty >= REQUIRED.keys() | SECRETS.keys()


def test_no_setting_of_the_example_has_a_default() -> None:
    example = yaml.safe_load((EXAMPLE / "Pulumi.prod.yaml").read_text())["config"]
    assert [key for key, declared in DECLARED.items() if "default" in declared and f"honeydue:{key}" in example] == []
