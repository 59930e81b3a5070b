"""Options of k3s that all servers of a cluster must share. k3s refuses a server that differs from those that run.

They are `CriticalControlArgs` in pkg/daemons/config/types.go of github.com/k3s-io/k3s, compared by `compareConfig` in
pkg/cluster/bootstrap.go. Two are not settings, because the program does not work with them: `disable-helm-controller`
and `disable-network-policy` (ops/adoption/server_options.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.settings.model import Model


@dataclass(frozen=True, kw_only=True)
class SharedOption:
    """Metadata of a setting in infra/settings/topology.py: the option of k3s that has its value.

    Attributes:
        name: the option on the command line and in the configuration file.
        default: the value of a server without the option. None: k3s computes it from other options.
        component: for the list `disable`, the component that it contains if the setting is true.
        response_field: the name in the response of a running server. A server that joins takes the value from there
            (infra/machines/files/k3s-role.sh). Empty if more than k3s depends on the option, such as the firewall.
    """

    name: str
    default: str | bool | None
    component: str = ""
    response_field: str = ""


def shared_options(model: type[Model]) -> Mapping[str, SharedOption]:
    """The shared options among the fields of a model, by the name of the field."""
    return {
        name: entry
        for name, field in model.model_fields.items()
        for entry in field.metadata
        if isinstance(entry, SharedOption)
    }


def configuration(settings: Model) -> Mapping[str, object]:
    """The entries of k3s' configuration file."""
    values = settings.model_dump(mode="json")
    return {
        option.name: ([option.component] if values[field] else []) if option.component else values[field]
        for field, option in shared_options(type(settings)).items()
    }


def response_fields(model: type[Model]) -> Mapping[str, str]:
    """The option of each field in the response of a running server: "cluster-domain", or "disable=servicelb"."""
    return {
        option.response_field: "=".join(filter(None, [option.name, option.component]))
        for option in shared_options(model).values()
        if option.response_field
    }
