"""That a run of the program loads no more of the SDKs than it uses, and that what it loads is the SDKs' own."""

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
capture.run(capture.full_settings())
modules = [sys.modules["pulumi_cloudflare._inputs"], sys.modules["pulumi_cloudflare.outputs"]]
blocks = [name for module in modules for name, one in vars(module).items() if getattr(one, "__module__", "") == module.__name__]
print(json.dumps({"modules": sorted(sys.modules), "blocks": blocks}))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    # In a process of its own: other tests may load more.
    done = subprocess.run([sys.executable, "-c", RUN], cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_the_program_loads_only_the_cloudflare_modules_that_it_uses(loaded: dict[str, list[str]]) -> None:
    of_cloudflare = [name for name in loaded["modules"] if name.startswith("pulumi_cloudflare.")]
    assert "pulumi_cloudflare.dns_record" in of_cloudflare
    # 11 and 1,011 on 2026-11-26; with the package's own __init__, 780 of the SDK's.
    assert len(of_cloudflare) <= 20, f"import the SDK by `from infra.sdk import cloudflare`; loaded are {of_cloudflare}"
    assert len(loaded["modules"]) <= 1100


def test_the_program_defines_only_the_nested_blocks_that_it_uses(loaded: dict[str, list[str]]) -> None:
    assert "GetZoneFilterArgs" in loaded["blocks"]
    # 18 on 2026-11-26, of 6,321.
    assert len(loaded["blocks"]) <= 40, f"the SDK's nested blocks are no longer defined one by one: {loaded['blocks']}"


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
def test_a_name_is_what_its_module_defines(name: str, module: str) -> None:
    assert getattr(cloudflare, name) is vars(sys.modules[f"pulumi_cloudflare.{module}"])[name]


def test_a_function_is_not_the_module_of_the_same_name() -> None:
    assert callable(cloudflare.get_zone)
    assert callable(cloudflare.get_zone)  # again, as the import of the module leaves its name in the package


def test_a_nested_block_has_the_types_of_the_blocks_inside_it() -> None:
    rule = cloudflare.RulesetRuleArgs
    # The SDK evaluates their annotations with the names of the module.
    assert {"RulesetRuleActionParametersArgs", "RulesetRuleActionParametersAlgorithmArgs"} <= vars(
        sys.modules[rule.__module__]
    ).keys()


def test_a_block_that_no_sdk_has_is_an_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchBlock"):
        _ = sys.modules["pulumi_cloudflare._inputs"].NoSuchBlock


@pytest.fixture
def another_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty SDK of the name, gone from memory after the test."""
    package = tmp_path / "another_sdk"
    package.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == package.name]:
        del sys.modules[name]


def test_an_sdk_that_is_laid_out_in_another_way_runs_its_init(another_sdk: Path) -> None:
    (another_sdk / "__init__.py").write_text("from .everything import Record\n")
    (another_sdk / "everything.py").write_text("class Record: ...\n")
    sdk = lazy_package("another_sdk")
    assert "another_sdk.everything" not in sys.modules
    assert sdk.Record.__module__ == "another_sdk.everything"
    with pytest.raises(AttributeError, match="Recrod"):
        _ = sdk.Recrod


def test_blocks_that_are_not_all_classes_are_imported_as_they_stand(another_sdk: Path) -> None:
    (another_sdk / "__init__.py").touch()
    (another_sdk / "_inputs.py").write_text(
        "__all__ = [\n    'AArgs',\n    'B',\n]\n\nclass AArgs:\n    ...\n\nB = 'a constant'\n"
    )
    (another_sdk / "a.py").write_text("from ._inputs import *\n\nclass A:\n    b = B\n")
    assert lazy_package("another_sdk").A.b == "a constant"


def test_an_sdk_that_is_not_installed_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="pulumi_nowhere"):
        lazy_package("pulumi_nowhere")
