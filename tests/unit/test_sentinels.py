"""The engine's marks are copied from Pulumi's SDK, so that no command has to import it."""

from pulumi.runtime import rpc

from ops.engine import sentinels


def test_the_marks_are_those_of_the_sdk() -> None:
    assert sentinels.UNKNOWN == rpc.UNKNOWN
    assert rpc._special_sig_key == sentinels.SIGNATURE_KEY
    assert rpc._special_secret_sig == sentinels.SECRET_SIGNATURE
