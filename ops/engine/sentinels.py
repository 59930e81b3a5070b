"""Marks that the engine writes in place of values. A unit test compares them with those of Pulumi's SDK.

They are not imported from the SDK, because its import would add 0.2 s of CPU time to every `make preview`.
"""

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""A value that is only known after an update (`pulumi.runtime.rpc.UNKNOWN`)."""

SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
"""Key of an object that stands for a special value; its value is the kind of value."""

SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # a mark of the protocol, not a secret
"""The kind "secret"."""
