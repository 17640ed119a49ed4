"""The section of the configuration that is about the dock page: where it is served, and who may see and use it."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import Field, model_validator

from gateway.config.base import FilePath, Section


class WebTlsConfig(Section):
    """The certificate that the page shows, and the authority whose client certificates it accepts."""

    cert_file: FilePath
    key_file: FilePath
    client_ca_file: FilePath | None = None


class WebConfig(Section):
    """The dock page. `token_file` holds ``name: token`` lines: who may log in. A login lasts `login_lasts` seconds.

    Without tokens and client certificates whoever uses this machine may use the page, and nobody else reaches it.
    """

    host: Annotated[str, Field(min_length=1, max_length=255)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8420
    tls: WebTlsConfig | None = None
    token_file: FilePath | None = None
    login_lasts: Annotated[float, Field(ge=60, le=90 * 86_400)] = 7 * 86_400.0

    @property
    def needs_login(self) -> bool:
        """Whether visitors of the pages have to log in."""
        return self.token_file is not None or (self.tls is not None and self.tls.client_ca_file is not None)

    @model_validator(mode="after")
    def _not_open_to_the_network(self) -> WebConfig:
        if is_loopback(self.host):
            return self
        missing = []
        if self.tls is None:
            missing.append("`tls` with cert_file and key_file")
        if not self.needs_login:
            missing.append("`token_file` or `tls.client_ca_file`")
        if missing:
            raise ValueError(
                f"host {self.host} can be reached from the network, where the page needs TLS and a login: write "
                f"{' and '.join(missing)}, or host 127.0.0.1"
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether an address, or ``localhost``, is this machine and nothing else. Other names are not looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
