"""A client of the Kubernetes API. The Kubernetes Python client has no types, and is slow to import."""

from typing import Any

import urllib3
import yaml
from kubernetes import client, config

REQUEST_ERRORS = (client.ApiException, urllib3.exceptions.HTTPError, OSError)
"""The errors of a request."""
DENIED = (401, 403)
"""The statuses that another attempt does not change."""


def api_client(kubeconfig: str, context: str) -> Any:  # noqa: ANN401  # the client has no types
    """A client that does not retry: urllib3 would repeat the timeout three times, and hide the reason for a minute.

    Raises an error of YAML or a ConfigException if the kubeconfig has no such context.
    """
    # The client reads this option only when it is created.
    configuration: Any = client.Configuration()
    configuration.retries = False
    load: Any = config.load_kube_config_from_dict
    load(yaml.safe_load(kubeconfig), context=context, client_configuration=configuration, persist_config=False)
    return client.ApiClient(configuration)


def problem_of(error: Exception) -> str:
    """Why a request failed, for the middle of a sentence. The error is one of REQUEST_ERRORS."""
    if not isinstance(error, client.ApiException):
        return f"the API server cannot be reached ({type(error).__name__})"
    # Without a status, it is an error of TLS.
    status: int | None = error.status
    return f"the API server returned {status}" if status else "the API server cannot be reached (SSLError)"
