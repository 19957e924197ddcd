"""Pass: how kernels find the rooms, and the secret that opens them to kernels.

``PARTYROOM_URL`` and ``PARTYROOM_TOKEN`` are put into the server's environment, which the kernels that it starts
inherit (jupyter_client's ``KernelProvisionerBase.pre_launch``), and terminals too. The secret is made anew with each
server and is good for its rooms only. Who has it can run code as the server's user anyway.
"""

from __future__ import annotations

import getpass
import os
import secrets
from collections.abc import MutableMapping
from urllib.parse import urlsplit

from jupyter_server.auth import User
from jupyter_server.serverapp import ServerApp

__all__ = ["HUB_TOKEN", "TOKEN", "URL", "Pass", "announce", "local_url"]

URL, TOKEN = "PARTYROOM_URL", "PARTYROOM_TOKEN"
HUB_TOKEN = "JUPYTERHUB_API_TOKEN"

ANY_ADDRESS = {"": "localhost", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}
"""What a program on this machine calls a server that listens on all addresses."""


class Pass:
    """A secret for the kernels of one server, and who they are."""

    def __init__(self) -> None:
        self.secret = secrets.token_urlsafe(32)
        owner = os.environ.get("JUPYTERHUB_USER") or _login()
        self.user = User(username=f"kernel:{owner}", name=f"kernel of {owner}", initials="K")


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return "this server"


def local_url(server: ServerApp) -> str | None:
    """The server's address for programs on its machine; ``None`` where it listens on a Unix socket only."""
    if server.sock:
        return None
    host = ANY_ADDRESS.get(server.ip) or (f"[{server.ip}]" if ":" in server.ip else server.ip)
    scheme = "https" if server.certfile else "http"
    return f"{scheme}://{host}:{server.port}{server.base_url.rstrip('/')}"


def announce(url: str | None, token: str | None, environ: MutableMapping[str, str] = os.environ) -> None:
    """Tell kernels where the rooms are. What another server has told us, which started this one, is not passed on."""
    for name, value in ((URL, url), (TOKEN, token)):
        if value:
            environ[name] = value
        else:
            environ.pop(name, None)


def shown(url: str) -> str:
    """An address without what may be secret in it, for the log and for pages."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
