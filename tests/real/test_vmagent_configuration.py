"""vmagent accepts the configuration that the program writes, with the options of its pod."""

import subprocess
from pathlib import Path

from tests.unit.capture import full_settings, run
from tools.cache import executable


def test_vmagent_accepts_its_configuration_and_its_arguments(tmp_path: Path) -> None:
    program = run(full_settings())
    text = program.resource("ConfigMap", "vmagent").inputs["data"]["scrape.yaml"]
    (container,) = program.resource("DaemonSet", "vmagent").inputs["spec"]["template"]["spec"]["containers"]
    arguments = [argument for argument in container["args"] if "promscrape.config=" not in argument]
    file = tmp_path / "scrape.yaml"

    def check(content: str) -> subprocess.CompletedProcess[str]:
        file.write_text(content)
        return subprocess.run(
            [
                executable("victoriametrics", "vmagent"),
                *arguments,
                "--dryRun",
                f"--promscrape.config={file}",
                "--promscrape.config.strictParse",
            ],
            env={"NODE_NAME": "node", "HOST_IP": "203.0.113.7"},
            capture_output=True,
            text=True,
            check=False,
        )

    accepted = check(text)
    assert accepted.returncode == 0, accepted.stderr
    refused = check(text.replace("relabel_configs", "relabel_rules", 1))
    assert "relabel_rules" in refused.stderr
    assert refused.returncode != 0
