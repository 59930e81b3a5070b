"""That a run of the program loads no more of the SDKs than it uses, and that what it loads is the SDKs' own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.sdk import cloudflare, on_demand

ROOT = Path(__file__).parents[2]
RUN = """
import json, sys
from tests.unit import capture
capture.run(capture.everything())
print(json.dumps(sorted(sys.modules)))
"""


def test_the_program_loads_only_the_cloudflare_modules_that_it_uses() -> None:
    # In a process of its own: other tests may load more.
    done = subprocess.run([sys.executable, "-c", RUN], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = json.loads(done.stdout)
    of_cloudflare = [name for name in modules if name.startswith("pulumi_cloudflare.")]
    assert "pulumi_cloudflare.dns_record" in of_cloudflare
    # 11 and 908 on 2026-11-26; with the package's own __init__, 780 and 1677.
    assert len(of_cloudflare) <= 20, f"import the SDK by `from infra.sdk import cloudflare`; loaded are {of_cloudflare}"
    assert len(modules) <= 1000


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


def test_an_sdk_that_is_laid_out_in_another_way_runs_its_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "another_sdk"
    package.mkdir()
    (package / "__init__.py").write_text("from .everything import Record\n")
    (package / "everything.py").write_text("class Record: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    sdk = on_demand("another_sdk")
    assert "another_sdk.everything" not in sys.modules
    assert sdk.Record.__module__ == "another_sdk.everything"
    with pytest.raises(AttributeError, match="Recrod"):
        _ = sdk.Recrod


def test_an_sdk_that_is_not_installed_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="pulumi_nowhere"):
        on_demand("pulumi_nowhere")
