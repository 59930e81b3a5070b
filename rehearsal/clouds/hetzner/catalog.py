"""What every project can order: locations, server types, images and their prices.

Sources: https://docs.hetzner.cloud/reference/cloud#locations, #server-types, #images and #pricing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, request

from ..cloud import Cloud, current
from ..store import Object
from ..vendor import Answer
from .errors import RefusedError, invalid_input
from .lists import page

_EUROPE: Final = ("fsn1", "nbg1", "hel1")
LOCATIONS: Final = {
    name: {"id": id_, "name": name, "description": city, "city": city, "country": country, "network_zone": zone}
    for id_, (name, city, country, zone) in enumerate(
        (
            ("fsn1", "Falkenstein", "DE", "eu-central"),
            ("nbg1", "Nuremberg", "DE", "eu-central"),
            ("hel1", "Helsinki", "FI", "eu-central"),
            ("ash", "Ashburn, VA", "US", "us-east"),
            ("hil", "Hillsboro, OR", "US", "us-west"),
            ("sin", "Singapore", "SG", "ap-southeast"),
        ),
        start=1,
    )
}
NETWORK_ZONES: Final = ("eu-central", "us-east", "us-west", "ap-southeast")
IMAGES: Final = {
    id_: {
        "id": id_,
        "type": "system",
        "status": "available",
        "name": name,
        "description": name,
        "disk_size": 5.0,
        "os_flavor": name.partition("-")[0],
        "os_version": name.partition("-")[2],
        "architecture": architecture,
        "protection": {"delete": False},
        "labels": {},
        **dict.fromkeys(("image_size", "created", "created_from", "bound_to", "deprecated", "deleted")),
    }
    for id_, name, architecture in (
        (67794396, "ubuntu-22.04", "x86"),
        (103908130, "ubuntu-22.04", "arm"),
        (161547269, "ubuntu-24.04", "x86"),
        (161547270, "ubuntu-24.04", "arm"),
        (114690387, "debian-12", "x86"),
        (114690389, "debian-12", "arm"),
    )
}

# Name, cores, memory and disk in GB, EUR per month without VAT: https://www.hetzner.com/cloud (2026-04). The prices are
# examples, except for that of cx33.
_SERVER_TYPES: Final = """
cx23 2 4 40 3.99     cx33 4 8 80 6.49      cx43 8 16 160 11.99   cx53 16 32 320 22.49
cx22 2 4 40 4.49     cx32 4 8 80 8.49      cx42 8 16 160 20.49   cx52 16 32 320 40.49
cpx11 2 2 40 5.49    cpx21 3 4 80 9.49     cpx31 4 8 160 16.49   cpx41 8 16 240 30.49   cpx51 16 32 360 60.49
cpx12 1 2 40 6.49    cpx22 2 4 80 7.99     cpx32 4 8 160 13.99   cpx42 8 16 320 25.49   cpx52 12 24 480 36.49
cpx62 16 32 640 50.49
cax11 2 4 40 4.49    cax21 4 8 80 7.99     cax31 8 16 160 15.99  cax41 16 32 320 31.49
ccx13 2 8 80 15.99   ccx23 4 16 160 31.49  ccx33 8 32 240 62.49  ccx43 16 64 360 124.99
ccx53 32 128 600 249.99                    ccx63 48 192 960 374.49
"""


@dataclass(frozen=True)
class ServerType:
    """One server type: memory and disk in GB, the price per month in EUR without VAT."""

    id: int
    name: str
    cores: int
    memory: int
    disk: int
    price: float

    @property
    def architecture(self) -> str:
        """Of its processor."""
        return "arm" if self.name.startswith("cax") else "x86"

    @property
    def locations(self) -> tuple[str, ...]:
        """Where it is offered."""
        return _EUROPE if self.name.startswith(("cx", "cax")) else tuple(LOCATIONS)

    @property
    def prices(self) -> list[Object]:
        """As the API shows them; they are the same at all locations here."""
        traffic = {"included_traffic": 20 * 2**40, "price_per_tb_traffic": _price(1)}
        # The hourly price reaches the monthly one after 26 days.
        price = {"price_hourly": _price(self.price / 624), "price_monthly": _price(self.price)}
        return [{"location": location, **price, **traffic} for location in self.locations]

    def shown(self, cloud: Cloud) -> Object:
        """As the API shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.name.upper(),
            "cores": self.cores,
            "memory": float(self.memory),
            "disk": self.disk,
            "storage_type": "local",
            "cpu_type": "dedicated" if self.name.startswith("ccx") else "shared",
            "architecture": self.architecture,
            "deprecated": False,
            "deprecation": None,
            "prices": self.prices,
            "locations": [
                {**dict.fromkeys(("available", "recommended"), not self.sold_out(cloud, name)), "deprecation": None}
                | {"id": LOCATIONS[name]["id"], "name": name}
                for name in self.locations
            ],
        }

    def sold_out(self, cloud: Cloud, location: str) -> bool:
        """Whether this type is sold out at this location, according to the account."""
        return self.name in cloud.account.sold_out.get(location, ())

    def refuse_unavailable(self, cloud: Cloud, location: str) -> None:
        """A type can be ordered, and changed to, only where it is offered and not sold out."""
        if location not in self.locations:
            raise invalid_input("server_type", f"unsupported location for server type {self.name}: {location}")
        if self.sold_out(cloud, location):
            raise RefusedError("resource_unavailable", f"server type {self.name} is not available in {location}")


def _server_types() -> Iterable[ServerType]:
    words = iter(_SERVER_TYPES.split())
    # At Hetzner, the id of cx23 is 114.
    for id_, (name, cores, memory, disk, price) in enumerate(zip(*[words] * 5, strict=True), start=114):
        yield ServerType(id_, name, int(cores), int(memory), int(disk), float(price))


SERVER_TYPES: Final = {server_type.name: server_type for server_type in _server_types()}


def find_location(value: object) -> Object:
    """The location with this name or id."""
    for location in LOCATIONS.values():
        if str(value) in (location["name"], str(location["id"])):
            return location
    raise RefusedError("not_found", f"location {value} not found, there are {', '.join(LOCATIONS)}")


def find_server_type(value: object) -> ServerType:
    """The server type with this name or id."""
    for server_type in SERVER_TYPES.values():
        if str(value) in (server_type.name, str(server_type.id)):
            return server_type
    raise RefusedError("not_found", f"server type {value} not found")


def find_image(value: object, architecture: str) -> Object:
    """The image with this id, or with this name for a processor architecture."""
    for image in IMAGES.values():
        if str(value) == str(image["id"]) or (value, architecture) == (image["name"], image["architecture"]):
            return image
    raise RefusedError("not_found", f"image {value} not found")


def register(blueprint: Blueprint) -> None:
    """Adds the paths of the catalog."""
    _register(blueprint, "locations", "location", LOCATIONS.values)
    # Of Hetzner, and the backups of the project.
    images = lambda: [*IMAGES.values(), *current().of("images").values()]  # noqa: E731
    _register(blueprint, "images", "image", images, "architecture", "status", "type", "bound_to")
    shown = lambda: [server_type.shown(current()) for server_type in SERVER_TYPES.values()]  # noqa: E731
    _register(blueprint, "server_types", "server_type", shown)

    @blueprint.get("/datacenters")
    def datacenters() -> Answer:
        announcement = {"announcement": "https://docs.hetzner.cloud/changelog#2026-06-02-datacenters-deprecated"}
        raise RefusedError("deprecated_api_endpoint", f"{request.path} was removed, use locations", announcement)

    @blueprint.get("/pricing")
    def pricing() -> Answer:
        types = [
            {"id": server_type.id, "name": server_type.name, "prices": server_type.prices}
            for server_type in SERVER_TYPES.values()
        ]
        addresses = [
            {"type": type_, "prices": [{"location": name, "price_monthly": _price(net)} for name in LOCATIONS]}
            for type_, net in (("ipv4", 0.5), ("ipv6", 0))
        ]
        backup = {"percentage": "20.00"}
        return {
            "pricing": {"currency": "EUR", "vat_rate": "19.00", "server_types": types, "primary_ips": addresses}
            | {"server_backup": backup, "image": {"price_per_gb_month": _price(0.0110)}}
        }, 200


def _register(
    blueprint: Blueprint, name: str, singular: str, objects: Callable[[], Iterable[Object]], *filters: str
) -> None:
    @blueprint.get(f"/{name}", endpoint=f"list_{name}")
    def list_() -> Answer:
        return page(name, objects(), dict, *filters)

    @blueprint.get(f"/{name}/<int:id_>", endpoint=f"get_{name}")
    def get(id_: int) -> Answer:
        for item in objects():
            if item["id"] == id_:
                return {singular: item}, 200
        raise RefusedError("not_found", f"{singular} with ID '{id_}' not found")


def _price(net: float) -> Object:
    return {"net": f"{net:.4f}", "gross": f"{net * 1.19:.4f}"}
