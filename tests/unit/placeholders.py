"""Values for the secrets, which tests search for as leaks, and the settings that the example leaves out."""

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra.settings.secrets import HOOK_URLS
from rehearsal.engine.placeholders import ADMIN_USERS

PLACEHOLDER = "placeholder-of-"
TOKEN = f"K10{'0' * 64}::server:{PLACEHOLDER}joinToken"
APNS_KEY = f"{PLACEHOLDER}apnsKey\n" + (
    ec.derive_private_key(1, ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
)
"""With text before the key, which PEM permits, so that tests can search for a leak."""
COSIGN_KEY = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
AGE_RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"  # from the documentation of age
URLS: Mapping[str, str] = {key: f"https://hooks.example.com/{PLACEHOLDER}{key}" for key in HOOK_URLS}
OPTIONAL_SECRETS = (
    *("snapshotKeyId", "snapshotApplicationKey", "backupKeyId", "backupApplicationKey"),
    *("metricsPassword", "uptimeMailToken", "tracesPassword", "logsPassword", "grafanaToken"),
)
OPTIONAL_SETTINGS: Mapping[str, object] = {
    "honeydue:cosignPublicKey": COSIGN_KEY,
    "honeydue:registryMirror": "registry.example.com/honeydue",
    "honeydue:upgrades": {
        "window": {"start": "02:00", "end": "05:00", "timeZone": "Europe/Berlin"},
        "k3s": ["sun"],
        "reboots": ["tue", "thu"],
    },
    "honeydue:snapshots": {"bucket": "honeyDueSnapshots"},
    "honeydue:backups": {
        "bucket": "honeydue-backups",
        "at": "02:30",
        "recipient": AGE_RECIPIENT,
        "image": "1a2b3c4d5e",
    },
    "honeydue:adminBasicAuth": ADMIN_USERS,
    "honeydue:monitoring": {
        "url": "https://obs.example.com",
        "username": "cluster",
        "alerts": {"webhook": True, "heartbeat": True},
    },
    "honeydue:uptime": {"webhook": True, "mail": True, "heartbeat": True},
    **{f"honeydue:{key}": f"{PLACEHOLDER}{key}" for key in OPTIONAL_SECRETS},
    **{f"honeydue:{key}": url for key, url in URLS.items()},
    "honeydue:traces": {
        "url": "https://traces.example.com:4318",
        "username": "cluster",
        "sampleRatio": 0.25,
        "services": {"worker": "jobs"},
    },
    "honeydue:logs": {"url": "https://logs.example.com", "username": "cluster"},
    "honeydue:grafana": {"url": "https://grafana.example.com", "folder": "honeyDue"},
}
"""Settings that the example leaves out."""
