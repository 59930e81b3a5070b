"""Settings that metrics and logs share: the server outside of the cluster, and the buffer on the disk of each node."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from infra.settings.model import Model
from infra.settings.types import HttpsUrl, Number, Text

HTTPS_PORT = 443
BUFFER_FILE_MI = 513
"""The size of the files in the buffer of vmagent and vlagent, and the smallest limit that they accept
(lib/persistentqueue in the VictoriaMetrics repository). They round a smaller limit up."""
BUFFER_MARGIN_MI = 62
"""For other files. A kubelet evicts a pod whose volume is larger than its limit."""
SMALLEST_BUFFER_MI = 2 * BUFFER_FILE_MI + BUFFER_MARGIN_MI


class RemoteWrite(Model):
    """A server at `url`, written to as `username`.

    `buffer_mi` is the disk space in MiB that one node uses at most while `url` is not reachable.
    """

    url: HttpsUrl
    username: Text
    buffer_mi: Annotated[Number, Field(ge=SMALLEST_BUFFER_MI)] = 1152

    @property
    def queue_mi(self) -> int:
        """The data in the buffer, in MiB. The agent deletes it in files, so that one more file is on the disk."""
        return self.buffer_mi - BUFFER_FILE_MI - BUFFER_MARGIN_MI

    @property
    def port(self) -> int:
        """The TCP port of `url`."""
        return urlsplit(self.url).port or HTTPS_PORT
