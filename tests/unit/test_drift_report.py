"""`make drift`: its report. Values are masked, shortened and safe inside a table."""

import io
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import JsonValue
from rich.console import Console

from ops.__main__ import cli
from ops.drift.masking import Masking
from ops.drift.report import MAX_VALUE_LENGTH, DriftReport, format_value, markdown, text
from ops.drift.rows import DriftRow, drift_rows
from tests.unit.plans import CONFIG_MAP, DEPLOYMENT, SECRET, plan, step

HIDDEN = "s3cr3t-of-a-test"


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        (SECRET, {"stringData": {"a": HIDDEN}}),
        (CONFIG_MAP, {"data": {"POSTGRES_PASSWORD": HIDDEN}}),
        (CONFIG_MAP, {"data": {"SOMEBODYS_TOKEN": HIDDEN}}),
        (DEPLOYMENT, {"spec": {"env": [{"name": "HIS_PASSWORD", "value": HIDDEN}]}}),
        (CONFIG_MAP, {"data": {"x": f"-----BEGIN EC PRIVATE KEY-----\n{HIDDEN}"}}),
        (CONFIG_MAP, {"data": {"innocent": "the-stack-s-own-token"}}),
    ],
)
def test_no_secret_is_in_the_declared_or_actual_column(kind: str, inputs: dict[str, Any]) -> None:
    masking = Masking({"hetznerToken": "the-stack-s-own-token", "domain": "myhoneydue.com"})
    top = next(iter(inputs))
    for declared, actual in ((inputs, {}), ({}, inputs), (inputs, {top: {"other": "x"}})):
        rows = list(
            drift_rows(
                plan(step("update", kind, "example", changed=(top,), old={"inputs": actual}, inputs=declared)), []
            )
        )
        report = markdown(DriftReport(rows=rows), masking, stack="prod")
        assert rows
        assert HIDDEN not in report
        assert "the-stack-s-own-token" not in report


def test_secrets_of_the_settings_are_masked_in_plain_text_and_base64() -> None:
    masking = Masking({"adminBasicAuth": {"ada": "her-own-password"}, "domain": "myhoneydue.com"})
    assert (
        masking("x her-own-password y aGVyLW93bi1wYXNzd29yZA== myhoneydue.com")
        == "x [secret] y [secret] myhoneydue.com"
    )


def test_values_are_formatted_in_one_line() -> None:
    plain = Masking({})
    assert format_value(None, plain) == "-"
    assert (
        format_value([{"port": "22", "proxied": True, "ttl": 1.0, "tags": []}], plain)
        == "{port: 22, proxied: true, ttl: 1}"
    )
    assert len(format_value("long " * 100, plain)) == MAX_VALUE_LENGTH


def test_no_part_of_a_secret_remains_in_a_shortened_or_joined_value() -> None:
    key = "\n".join(f"a line of a key, number {number}" for number in range(9))
    masking = Masking({"apnsKey": key})
    texts: list[JsonValue] = [
        key,
        "x " * (MAX_VALUE_LENGTH // 2 - 5) + key,
        list(key.splitlines()[3:5]),
        f"  {key.splitlines()[3]}\n",
    ]
    for value in texts:
        assert "key, number" not in format_value(value, masking)


def test_values_cannot_break_the_markdown_table() -> None:
    report = DriftReport(
        rows=[DriftRow(resource="A", property="b", declared="x|y", actual="`z`")],
        expected_changes=["B moved"],
        unlisted_kinds=["Secret"],
    )
    assert markdown(report, Masking({}), stack="prod").splitlines() == [
        "**Drift in 1 resource of stack prod**",
        "",
        "| resource | property | declared | actual |",
        "| --- | --- | --- | --- |",
        "| `A` | `b` | `x\\|y` | `'z'` |",
        "",
        "- Not drift: B moved.",
        "- Undeclared objects of these kinds were not checked, because the account may not list them: Secret.",
    ]
    assert markdown(DriftReport(rows=[]), Masking({}), stack="prod") == "**No drift of stack prod**\n\n"


SIDECAR = "spec.template.spec.containers[api].volumeMounts[/var/lib/application/data].subPathExpr"


def test_resources_and_paths_are_whole_at_80_columns_and_open_doors_come_first() -> None:
    report = DriftReport(
        rows=[
            DriftRow(resource="Deployment::api", property=SIDECAR, actual="long " * 40),
            DriftRow(resource="DaemonSet manual", declared="not in the stack", actual="exists"),
            DriftRow(resource="ValidatingAdmissionPolicyBinding::honeydue-pods", property="spec.x", actual="y"),
            DriftRow(resource="NetworkPolicy::redis", property="spec.ingress", actual=[{}]),
            DriftRow(resource="NetworkPolicy::redis", property="spec.egress", declared=["a"], actual=["b"]),
        ],
        skipped=["Secret::honeydue-secrets"],
    )
    console = Console(width=80, file=io.StringIO(), soft_wrap=True)
    with console.capture() as capture:
        console.print(text(report, Masking({})))
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert lines[:15] == [
        "Drift in 4 resources",
        "",
        "NetworkPolicy::redis",
        "  spec.egress",
        "    declared  a",
        "    actual    b",
        "  spec.ingress",
        "    declared  -",
        "    actual    {}",
        "",
        "ValidatingAdmissionPolicyBinding::honeydue-pods",
        "  spec.x",
        "    declared  -",
        "    actual    y",
        "",
    ]
    assert f"  {SIDECAR}" in lines
    assert all(len(line) <= 80 for line in lines if SIDECAR not in line)
    assert lines[-1] == "Not checked because of --without-secrets: Secret::honeydue-secrets."


def test_a_usage_error_has_another_exit_code_than_drift() -> None:
    assert CliRunner().invoke(cli, ["drift"]).exit_code == 1
    assert CliRunner().invoke(cli, ["drift", "--stack", "prod", "--nonsense"]).exit_code == 1
