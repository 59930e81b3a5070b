"""Pulumi.yaml declares what the program reads: no key more, none less."""

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


def test_what_only_the_operator_can_set_is_empty_until_then() -> None:
    empty = {key for key, declared in DECLARED.items() if str(declared.get("default", "none")) in UNSET_VALUES}
    assert empty >= REQUIRED.keys() | SECRETS.keys()


def test_no_book_value_stands_in_a_default_too() -> None:
    example = yaml.safe_load((EXAMPLE / "Pulumi.prod.yaml").read_text())["config"]
    assert [key for key, declared in DECLARED.items() if "default" in declared and f"honeydue:{key}" in example] == []
