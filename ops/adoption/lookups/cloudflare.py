"""Looks up records and settings of a Cloudflare zone (https://developers.cloudflare.com/api)."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import cloudflare
from cloudflare.types.dns import RecordResponse
from pydantic import JsonValue

from infra.settings.secrets import SECRETS
from ops.adoption.findings import Candidate, Finding
from ops.adoption.lookups import Lookup
from ops.errors import ForbiddenError, OpsError
from ops.json_paths import dig
from ops.resource_types import CLIENT_CERTIFICATE, ORIGIN_CERTIFICATE, RECORD, WORKER, ZONE_SETTING

API = "https://api.cloudflare.com/client/v4"
ENDPOINT = "CLOUDFLARE_BASE_URL"
"""The environment variable with which Cloudflare's own clients select another endpoint."""
TIMEOUT_SECONDS = 30.0

NO_PRIVATE_KEY = "its private key cannot be read back, so the program creates a new one"


class Cloudflare:
    """Lookups in a zone.

    `expected_address` returns the address that a primary IP will have, by its URN, for records that point to one.
    """

    def __init__(self, token: str, expected_address: Callable[[str], str | None] = lambda _: None) -> None:
        self._endpoint = os.environ.get(ENDPOINT, API)
        self._client = cloudflare.Cloudflare(api_token=token, base_url=self._endpoint, timeout=TIMEOUT_SECONDS)
        self._expected_address = expected_address

    @property
    def lookups(self) -> Mapping[str, Lookup]:
        def origin_certificate(_: Candidate) -> Finding:
            # Every change of an input replaces it, and the API does not return the certificate request.
            return Finding.skipped(f"{NO_PRIVATE_KEY}; the old certificate stays valid until it is revoked")

        def client_certificate(_: Candidate) -> Finding:
            return Finding.skipped(NO_PRIVATE_KEY)

        def worker(_: Candidate) -> Finding:
            # Each request of its creation replaces what exists under the same name.
            return Finding.skipped("the first up uploads it; a script of the same name is replaced and keeps its state")

        return {
            **dict.fromkeys(WORKER, worker),
            RECORD: self._in_zone(self._record),
            ZONE_SETTING: self._in_zone(self._setting),
            "cloudflare:index/authenticatedOriginPullsSettings:AuthenticatedOriginPullsSettings": self._in_zone(
                self._origin_pulls
            ),
            ORIGIN_CERTIFICATE: origin_certificate,
            CLIENT_CERTIFICATE: client_certificate,
        }

    def records(self, zone: str) -> Sequence[RecordResponse]:
        """All records of a zone, declared or not."""
        with self._readable_errors():
            return list(self._client.dns.records.list(zone_id=zone))

    def read(self, path: str) -> JsonValue:
        """The result of a GET request, or None if nothing exists at the path.

        Raises a ForbiddenError if the token lacks the permission. The typed methods of the client are not used, because
        importing the types of all rules takes longer than the requests.
        """
        with self._readable_errors():
            try:
                response = self._client.get(path, cast_to=object)
            except cloudflare.NotFoundError:
                return None
            except cloudflare.PermissionDeniedError:
                raise ForbiddenError(f"the token in honeydue:cloudflareToken may not read {path}") from None
        return dig(response, "result")  # type: ignore[arg-type]  # the response is JSON

    def client_certificate_status(self, zone: str, certificate: str) -> str:
        """The status of an uploaded client certificate: "active" when Cloudflare presents it everywhere."""
        with self._readable_errors():
            response = self._client.origin_tls_client_auth.zone_certificates.get(certificate, zone_id=zone)
        return str(response.status) if response else "missing"

    def uploaded_client_certificate(self, candidate: Candidate) -> str | None:
        """The id of a client certificate that is equal to the declared one, or None."""
        zone, declared = candidate.text("zoneId"), candidate.text("certificate")
        if zone is None or declared is None:
            return None
        with self._readable_errors():
            uploaded = list(self._client.origin_tls_client_auth.zone_certificates.list(zone_id=zone))
        return next((entry.id for entry in uploaded if (entry.certificate or "").strip() == declared.strip()), None)

    def _in_zone(self, lookup: Callable[[Candidate, str], Finding]) -> Lookup:
        """Add the candidate's zone and readable errors to a lookup."""

        def look_up(candidate: Candidate) -> Finding:
            zone = candidate.text("zoneId")
            if zone is None:
                return Finding.missing()
            with self._readable_errors():
                return lookup(candidate, zone)

        return look_up

    def _record(self, candidate: Candidate, zone: str) -> Finding:
        """By name, type and content. The content may be an address that the program does not know while planning."""
        name, type_ = candidate.text("name"), candidate.text("type")
        content = candidate.text("content") or next(
            filter(None, map(self._expected_address, candidate.dependencies)), None
        )
        if name is None or content is None:
            return Finding.missing()
        records = list(self._client.dns.records.list(zone_id=zone, name={"exact": name}))
        if any(record.type == "CNAME" for record in records) and type_ != "CNAME":
            return Finding.ambiguous(
                f"{name} is a CNAME record, which excludes a {type_} record of the same name. "
                "Delete it at a time when the site may be unavailable"
            )
        matches = {
            f"{zone}/{record.id}": f"{name} → {content}"
            for record in records
            if (record.type, record.content) == (type_, content)
        }
        return Finding.of_matches(matches, "records are equal")

    def _setting(self, candidate: Candidate, zone: str) -> Finding:
        setting = candidate.text("settingId") or ""
        response = self._client.zones.settings.get(setting, zone_id=zone)
        return Finding.found(f"{zone}/{setting}", f"is {getattr(response, 'value', None)}")

    def _origin_pulls(self, _: Candidate, zone: str) -> Finding:
        response = self._client.origin_tls_client_auth.settings.get(zone_id=zone)
        return Finding.found(zone, "is on" if response and response.enabled else "is off")

    @contextmanager
    def _readable_errors(self) -> Iterator[None]:
        try:
            yield
        except (cloudflare.AuthenticationError, cloudflare.PermissionDeniedError) as error:
            raise OpsError(
                f"Cloudflare rejects the token in honeydue:cloudflareToken ({error.status_code}): "
                f"{SECRETS['cloudflareToken'].command}"
            ) from None
        except cloudflare.APIStatusError as error:
            message = ", ".join(detail.message for detail in error.errors or () if detail.message) or error.message
            raise OpsError(f"Cloudflare's API returned {error.status_code}: {message}") from None
        except cloudflare.APIConnectionError:
            raise OpsError(f"Cloudflare's API cannot be reached at {self._endpoint}; try again") from None
