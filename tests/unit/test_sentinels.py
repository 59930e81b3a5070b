"""ops.engine.sentinels has copies of the engine's sentinels, so that commands need not import Pulumi's SDK."""

from pulumi.runtime import rpc

from ops.engine import sentinels


def test_the_sentinels_are_those_of_the_sdk() -> None:
    assert sentinels.UNKNOWN == rpc.UNKNOWN
    assert rpc._special_sig_key == sentinels.SIGNATURE_KEY
    assert rpc._special_secret_sig == sentinels.SECRET_SIGNATURE
