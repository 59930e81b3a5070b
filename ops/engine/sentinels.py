"""Values with a special meaning in the engine's JSON. A unit test compares them with those of Pulumi's SDK.

They are not imported from the SDK, because its import would add 0.2 s of CPU time to every `make preview`.
"""

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""A value that is only known after an update (`pulumi.runtime.rpc.UNKNOWN`)."""

SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
"""The key of an object that represents a special value. Its value is the kind, for example SECRET_SIGNATURE."""

SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # a constant of the protocol
"""The kind of a secret value."""
