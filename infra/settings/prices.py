"""The prices from which the monthly cost is computed."""

from collections.abc import Iterable, Mapping

from infra.settings.model import Model
from infra.settings.types import Date, Price, Text


class Prices(Model):
    """List prices per month, net. `servers` is by server type, `as_of` the date of the list.

    `object_store_gb` is the price of a gigabyte in the bucket of the dumps.
    """

    as_of: Date
    currency: Text
    servers: Mapping[Text, Price]
    primary_ipv4: Price
    services: Mapping[Text, Price]
    object_store_gb: Price | None = None

    def month(self, server_types: Iterable[str]) -> float:
        """The price of one month: these servers with one address each, and the services."""
        hosts = sum(self.servers[server_type] + self.primary_ipv4 for server_type in server_types)
        return round(hosts + sum(self.services.values()), 2)
