"""A run of the program loads only the parts of the SDKs that it uses, and uses the objects of the SDKs unchanged."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.lazy_import import lazy_package
from infra.sdk import cloudflare

ROOT = Path(__file__).parents[2]
RUN = """
import json, sys
from tests.unit import capture
settings = capture.full_settings()
if "without" in sys.argv:
    del settings["honeydue:uptime"]
capture.run(settings)
modules = [sys.modules["pulumi_cloudflare._inputs"], sys.modules["pulumi_cloudflare.outputs"]]
blocks = [
    name
    for module in modules
    for name, value in vars(module).items()
    if getattr(value, "__module__", "") == module.__name__
]
print(json.dumps({"modules": sorted(sys.modules), "blocks": blocks}))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """What a run without the uptime Worker loads."""
    return loaded_by("without")


def loaded_by(*arguments: str) -> dict[str, list[str]]:
    # In a separate process, because other tests load more modules.
    completed = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded_names: dict[str, list[str]] = json.loads(completed.stdout)
    return loaded_names


def test_the_program_loads_only_the_cloudflare_modules_that_it_uses(loaded: dict[str, list[str]]) -> None:
    cloudflare_modules = [name for name in loaded["modules"] if name.startswith("pulumi_cloudflare.")]
    assert "pulumi_cloudflare.dns_record" in cloudflare_modules
    # On 2026-11-26 the program loaded 11 modules of the SDK and 1,011 in total. The package's own __init__ loads 780.
    assert len(cloudflare_modules) <= 20, (
        f"import the SDK by `from infra.sdk import cloudflare`; loaded are {cloudflare_modules}"
    )
    assert len(loaded["modules"]) <= 1100


def test_the_program_defines_only_the_nested_blocks_that_it_uses(loaded: dict[str, list[str]]) -> None:
    assert "GetZoneFilterArgs" in loaded["blocks"]
    # On 2026-11-26 the program defined 18 of 6,321 blocks.
    assert len(loaded["blocks"]) <= 40, f"the SDK's nested blocks are no longer defined one by one: {loaded['blocks']}"


def test_the_uptime_worker_loads_only_the_blocks_of_its_resources() -> None:
    """The SDK's class of a script names the blocks of all its options."""
    blocks = loaded_by()["blocks"]
    assert "WorkersScriptBindingArgs" in blocks
    # On 2026-11-26 there were 105.
    assert len(blocks) <= 130


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("DnsRecord", "dns_record"),
        ("DnsRecordArgs", "dns_record"),
        ("OriginCaCertificate", "origin_ca_certificate"),
        ("Provider", "provider"),
        ("get_ip_ranges", "get_ip_ranges"),
        ("get_zone_output", "get_zone"),
        ("GetZoneResult", "get_zone"),
        ("GetZoneFilterArgs", "_inputs"),
    ],
)
def test_a_name_of_the_package_is_that_of_its_module(name: str, module: str) -> None:
    assert getattr(cloudflare, name) is vars(sys.modules[f"pulumi_cloudflare.{module}"])[name]


def test_a_function_is_not_replaced_by_the_module_of_the_same_name() -> None:
    assert callable(cloudflare.get_zone)
    assert callable(cloudflare.get_zone)  # again: the import of the module adds its name to the package


def test_a_nested_block_has_the_types_of_the_blocks_inside_it() -> None:
    rule = cloudflare.RulesetRuleArgs
    # The SDK evaluates their annotations with the names of the module.
    assert {"RulesetRuleActionParametersArgs", "RulesetRuleActionParametersAlgorithmArgs"} <= vars(
        sys.modules[rule.__module__]
    ).keys()


def test_an_unknown_nested_block_is_an_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchBlock"):
        _ = sys.modules["pulumi_cloudflare._inputs"].NoSuchBlock


@pytest.fixture
def another_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of an empty SDK, which is removed from memory after the test."""
    package = tmp_path / "another_sdk"
    package.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == package.name]:
        del sys.modules[name]


def test_an_sdk_with_another_layout_is_imported_normally(another_sdk: Path) -> None:
    (another_sdk / "__init__.py").write_text("from .everything import Record\n")
    (another_sdk / "everything.py").write_text("class Record: ...\n")
    sdk = lazy_package("another_sdk")
    assert "another_sdk.everything" not in sys.modules
    assert sdk.Record.__module__ == "another_sdk.everything"
    with pytest.raises(AttributeError, match="Recrod"):
        _ = sdk.Recrod


def test_a_module_with_other_names_than_classes_is_imported_normally(another_sdk: Path) -> None:
    (another_sdk / "__init__.py").touch()
    (another_sdk / "_inputs.py").write_text(
        "__all__ = [\n    'AArgs',\n    'B',\n]\n\nclass AArgs:\n    ...\n\nB = 'a constant'\n"
    )
    (another_sdk / "a.py").write_text("from ._inputs import *\n\nclass A:\n    b = B\n")
    assert lazy_package("another_sdk").A.b == "a constant"


def test_a_missing_sdk_is_an_error_with_its_name() -> None:
    with pytest.raises(ModuleNotFoundError, match="pulumi_nowhere"):
        lazy_package("pulumi_nowhere")
