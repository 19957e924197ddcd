"""PartyroomExtension: one lobby in a Jupyter Server, from its start to its end, and what can be configured.

::

    c.PartyroomExtension.target = "my_parties.py"            # in jupyter_server_config.py
    jupyter lab --PartyroomExtension.target=my_parties.py    # or on the command line
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from traitlets import Bool, Dict, Unicode

from partyroom import Lobby, PartyroomError
from partyroom.gateways.tornado import handlers

from .files import files_of
from .handler import PartyHandler
from .kernels import HUB_TOKEN, Pass, announce, local_url, shown
from .page import StatusData, StatusPage
from .rooms import assemble, data_folder

__all__ = ["PartyroomExtension"]

STATIC = Path(__file__).parent / "static"


class PartyroomExtension(ExtensionApp):
    """Rooms under this server's own URL, login and users: ``base_url/parties/:party/:room``."""

    name = "partyroom"
    description = "Multiplayer rooms and shared documents inside Jupyter Server"
    load_other_extensions = True
    static_paths = [str(STATIC)]  # noqa: RUF012  # a trait's default

    target = Unicode(
        help="What to serve, as for `partyroom serve`: my_parties.py, my_app.rooms, my_app:lobby. A file is looked for"
        " where the server was started, then in its root folder. Without it: documents, a chat and a relay.",
    ).tag(config=True)
    data = Unicode(help="The folder that keeps the rooms; .partyroom in the server's root folder by default.").tag(
        config=True
    )
    limits = Dict(help="Bounds, as in partyroom.toml: {'message': '2 MiB', 'connections': 500}.").tag(config=True)
    crons = Dict(help="Schedules for on_cron, in UTC: {'nightly': '0 3 * * *'}.").tag(config=True)
    vars = Dict(help="What parties see as room.env.").tag(config=True)
    files = Bool(True, help="Whether text files of the root folder are documents, at /parties/file/PATH.").tag(
        config=True
    )
    remote_url = Unicode(
        help="A `partyroom serve` elsewhere, which kernels are pointed to; this server then has no rooms of its own."
    ).tag(config=True)
    token_env = Unicode(
        help="With remote_url: the variable of this server's environment with the token that kernels show there."
        " JUPYTERHUB_API_TOKEN by default, which exists where there is a Hub.",
    ).tag(config=True)

    lobby: Lobby | None = None
    """The rooms; none with ``remote_url``, and where the settings are wrong."""
    problem = ""
    """Why there are no rooms, for people to read."""

    def initialize_handlers(self) -> None:
        """Make the lobby and put it, and the page, under ``base_url``."""
        self._pass = Pass()
        self.handlers.extend(
            [
                (r"/partyroom/?", StatusPage, {"extension": self}),
                (r"/partyroom/status", StatusData, {"extension": self}),
            ]
        )
        if self.remote_url:
            return
        try:
            self.lobby = self._assemble()
        except (PartyroomError, ValueError) as error:
            self.problem = str(error)
            return
        self._server.web_app.add_handlers(  # type: ignore[no-untyped-call]
            ".*$",
            handlers(self.lobby, self._server.base_url, handler=PartyHandler, kernel_pass=self._pass),
        )

    @property
    def _server(self) -> ServerApp:
        assert self.serverapp is not None  # from when Jupyter links the two
        return self.serverapp

    def _assemble(self) -> Lobby:
        root = Path(self._server.root_dir)
        return assemble(
            self.target,
            root=root,
            data=Path(self.data).expanduser() if self.data else data_folder(root, self.log),
            bounds=self.limits,
            crons=self.crons,
            env=self.vars,
            noted=self._note_activity,
            files=files_of(self._server.contents_manager) if self.files else None,
        )

    def _note_activity(self) -> None:
        """A person has done something: cullers see what Jupyter calls the server's last activity."""
        self._server.web_app.settings["partyroom_last_activity"] = datetime.now(UTC)

    async def _start_jupyter_server_extension(self, serverapp: object) -> None:
        """The loop is running and no kernel has started: open the rooms, and tell kernels where they are."""
        if self.lobby is not None:
            await self._open(self.lobby)
        elif self.remote_url:
            announce(self.remote_url, os.environ.get(self.token_env or HUB_TOKEN))
            self.log.info("partyroom: kernels find their rooms at %s", shown(self.remote_url))
        else:
            announce(None, None)
            self.log.error("partyroom: there are no rooms: %s", self.problem)

    async def _open(self, lobby: Lobby) -> None:
        announce(local_url(self._server), self._pass.secret)
        try:
            await lobby.start()
        except PartyroomError as error:  # tried again at the first visit
            self.problem = str(error)
            self.log.error("partyroom: %s (PartyroomExtension.data names another folder)", error)
        else:
            names = ", ".join(name for name in lobby.party_classes if not name.startswith("."))
            self.log.info(
                "partyroom: %s at %sparties/, who is there at %spartyroom/", names, *[self._server.base_url] * 2
            )

    async def stop_extension(self) -> None:
        """Close the rooms: documents are flushed and clients told, in little more than ``limits.close`` seconds."""
        if self.lobby is not None:
            await self.lobby.close()
