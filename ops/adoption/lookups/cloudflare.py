"""Records and settings of the zone at Cloudflare (https://developers.cloudflare.com/api)."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import cloudflare
from cloudflare.types.dns import RecordResponse

from infra.settings.secrets import SECRETS
from ops.adoption.findings import Finding, Wanted
from ops.adoption.lookups import Lookup
from ops.errors import OpsError

API = "https://api.cloudflare.com/client/v4"
ENDPOINT = "CLOUDFLARE_BASE_URL"
"""The variable by which Cloudflare's own clients are led to another endpoint."""
TIMEOUT_SECONDS = 30.0

NO_KEY = "its private key was shown once and is nowhere to be read: a new one is made"


class Cloudflare:
    """`address` tells what a primary IP that a record points at will hold, by its URN."""

    def __init__(self, token: str, address: Callable[[str], str | None] = lambda _: None) -> None:
        self._endpoint = os.environ.get(ENDPOINT, API)
        self._client = cloudflare.Cloudflare(api_token=token, base_url=self._endpoint, timeout=TIMEOUT_SECONDS)
        self._address = address

    @property
    def lookups(self) -> Mapping[str, Lookup]:
        def origin_certificate(_: Wanted) -> Finding:
            # Every input of one replaces it, and its request is not known either.
            return Finding.left_out(f"{NO_KEY}; the old one stays valid until somebody revokes it")

        def client_certificate(_: Wanted) -> Finding:
            return Finding.left_out(NO_KEY)

        return {
            "cloudflare:index/dnsRecord:DnsRecord": self._asked(self._record),
            "cloudflare:index/zoneSetting:ZoneSetting": self._asked(self._setting),
            "cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings": self._asked(
                self._origin_pulls
            ),
            "cloudflare:index/originCaCertificate:OriginCaCertificate": origin_certificate,
            "cloudflare:index/authenticatedOriginPullsCertificate:AuthenticatedOriginPullsCertificate": client_certificate,
        }

    def records(self, zone: str) -> Sequence[RecordResponse]:
        """All records of a zone, whoever made them."""
        with self._readable_errors():
            return list(self._client.dns.records.list(zone_id=zone))

    def _asked(self, lookup: Callable[[Wanted, str], Finding]) -> Lookup:
        def ask(wanted: Wanted) -> Finding:
            zone = wanted.text("zoneId")
            if zone is None:
                return Finding.missing()
            with self._readable_errors():
                return lookup(wanted, zone)

        return ask

    def _record(self, wanted: Wanted, zone: str) -> Finding:
        """By name, type and content; the content of a record may be an address that the program does not know yet."""
        name, type_ = wanted.text("name"), wanted.text("type")
        content = wanted.text("content") or next(filter(None, map(self._address, wanted.dependencies)), None)
        if name is None or content is None:
            return Finding.missing()
        alike = list(self._client.dns.records.list(zone_id=zone, name={"exact": name}))
        if any(one.type == "CNAME" for one in alike) and type_ != "CNAME":
            return Finding.ambiguous(
                f"{name} is a CNAME, beside which no {type_} record can be: remove it when the site may be away"
            )
        fitting = {
            f"{zone}/{one.id}": f"{name} → {content}" for one in alike if (one.type, one.content) == (type_, content)
        }
        return Finding.one_of(fitting, "records are the same")

    def _setting(self, wanted: Wanted, zone: str) -> Finding:
        setting = wanted.text("settingId") or ""
        live = self._client.zones.settings.get(setting, zone_id=zone)
        return Finding.found(f"{zone}/{setting}", f"is {getattr(live, 'value', None)}")

    def _origin_pulls(self, _: Wanted, zone: str) -> Finding:
        live = self._client.origin_tls_client_auth.settings.get(zone_id=zone)
        return Finding.found(zone, "is on" if live and live.enabled else "is off")

    @contextmanager
    def _readable_errors(self) -> Iterator[None]:
        try:
            yield
        except (cloudflare.AuthenticationError, cloudflare.PermissionDeniedError) as error:
            how = SECRETS["cloudflareToken"].command
            raise OpsError(
                f"Cloudflare refuses the token in honeydue:cloudflareToken ({error.status_code}): {how}"
            ) from None
        except cloudflare.APIStatusError as error:
            said = ", ".join(one.message for one in error.errors if one.message) or error.message
            raise OpsError(f"Cloudflare's API answers {error.status_code}: {said}") from None
        except cloudflare.APIConnectionError:
            raise OpsError(f"Cloudflare's API cannot be reached at {self._endpoint}; try again") from None
