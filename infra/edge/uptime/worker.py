"""The script at Cloudflare, its bindings, its schedule and its address."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pulumi
import pulumi_random as random

from infra.component import Component
from infra.edge.uptime.checks import worker_config
from infra.edge.uptime.durable_object import STATE_CLASS, class_hooks
from infra.names import UPTIME_SCRIPT
from infra.sdk import cloudflare
from infra.settings.schema import Settings
from infra.settings.secrets import Secrets
from infra.settings.uptime import UptimeSettings

MAIN_MODULE = "worker.js"
SCRIPT = Path(__file__).with_name(MAIN_MODULE)
COMPATIBILITY_DATE = "2026-07-01"
"""The behaviour of the runtime, https://developers.cloudflare.com/workers/configuration/compatibility-dates/. The tests
of the script use the same date."""
COMPATIBILITY_FLAGS = ("global_fetch_strictly_public",)
"""With it, a request to a host of this zone enters Cloudflare like a visitor's, and Cloudflare presents the certificate
of the origin pulls. Without it, a request to a host of the Worker's own zone goes to the origin and bypasses the
settings of the zone (src/workerd/io/compatibility-date.capnp in github.com/cloudflare/workerd)."""
EVERY_MINUTE = "* * * * *"
TOKEN_LENGTH = 48


def declare_uptime(
    settings: Settings,
    secrets: Secrets,
    *,
    account_id: str,
    depends_on: Sequence[pulumi.Resource],
    provider: cloudflare.Provider,
) -> "Uptime | None":
    """Nothing while `uptime` is not set. `depends_on` is the site, so that its first start is no outage."""
    if settings.uptime is None:
        return None
    return Uptime(
        settings,
        settings.uptime,
        secrets,
        account_id=account_id,
        depends_on=depends_on,
        provider=provider,
    )


def plain_bindings(config: Mapping[str, object]) -> "Sequence[cloudflare.WorkersScriptBindingArgs]":
    """The bindings without secrets."""
    # The annotation is quoted: otherwise each run would define the nested blocks of a script (infra/sdk.py).
    return [
        cloudflare.WorkersScriptBindingArgs(name="STATE", type="durable_object_namespace", class_name=STATE_CLASS),
        # Compact and sorted: Cloudflare limits a variable to 5 KB, and another order would be a change.
        cloudflare.WorkersScriptBindingArgs(
            name="CONFIG", type="json", json=json.dumps(config, sort_keys=True, separators=(",", ":"))
        ),
    ]


class Uptime(Component):
    """The Worker. A cron trigger starts it every minute, and `make status` reads its results at its own address.

    Attributes:
        status_token: secret. Who has it can read the results.
    """

    status_token: pulumi.Output[str]

    def __init__(
        self,
        settings: Settings,
        uptime: UptimeSettings,
        secrets: Secrets,
        *,
        account_id: str,
        depends_on: Sequence[pulumi.Resource],
        provider: cloudflare.Provider,
    ) -> None:
        super().__init__("edge:Uptime", "uptime", provider=provider)
        password = random.RandomPassword(
            "uptime-status-token", length=TOKEN_LENGTH, special=False, opts=self.child_options()
        )
        self.status_token = pulumi.Output.secret(password.result)
        texts = {
            "WEBHOOK_URL": secrets.uptime_webhook_url if uptime.webhook else None,
            "MAIL_TOKEN": secrets.uptime_mail_token if uptime.mail else None,
            "HEARTBEAT_URL": secrets.uptime_heartbeat_url if uptime.heartbeat else None,
            "STATUS_TOKEN": self.status_token,
        }
        config = worker_config(settings, uptime, admin_auth=secrets.admin_basic_auth is not None)
        script = cloudflare.WorkersScript(
            "uptime",
            account_id=account_id,
            script_name=UPTIME_SCRIPT,
            # Not `content_file`: the state would contain a path of this machine, and differ on another.
            content=SCRIPT.read_text(encoding="utf-8"),
            main_module=MAIN_MODULE,
            compatibility_date=COMPATIBILITY_DATE,
            compatibility_flags=list(COMPATIBILITY_FLAGS),
            # No `migrations`: the provider sends them with every upload, and Cloudflare accepts them once
            # (infra/edge/uptime/durable_object.py).
            bindings=[
                *plain_bindings(config),
                *(
                    cloudflare.WorkersScriptBindingArgs(name=name, type="secret_text", text=text)
                    for name, text in texts.items()
                    if text is not None
                ),
            ],
            # Without it, Cloudflare refuses to delete a script with a Durable Object
            # (https://github.com/cloudflare/terraform-provider-cloudflare/issues/5634).
            force=True,
            opts=self.child_options(hooks=class_hooks(secrets.cloudflare_token), depends_on=depends_on),
        )
        # The provider deletes no schedule. Cloudflare deletes it together with the script.
        cloudflare.WorkersCronTrigger(
            "uptime",
            account_id=account_id,
            script_name=script.script_name,
            schedules=[cloudflare.WorkersCronTriggerScheduleArgs(cron=EVERY_MINUTE)],
            opts=self.child_options(),
        )
        cloudflare.WorkersScriptSubdomain(
            "uptime",
            account_id=account_id,
            script_name=script.script_name,
            enabled=True,
            # Otherwise each version of the script has an address too.
            previews_enabled=False,
            opts=self.child_options(),
        )
        self.register_outputs({})
