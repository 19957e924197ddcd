"""From settings to a lobby: what ``partyroom serve`` serves."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from ..assets import Assets
from ..limits import DEFAULTS, Limits
from ..lobby import Lobby
from ..stores.sqlite import SQLiteStore
from .config import ConfigError
from .pages import Pages
from .readymade import PARTIES
from .target import TargetError, load, party

__all__ = ["Settings", "assemble", "environment"]

DATABASE = "partyroom.db"
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s]+", re.IGNORECASE)
"""What a browser sends as Origin (RFC 6454), and what may stand for several. Anything else would let in nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to serve and how, from flags, the environment and ``partyroom.toml`` together."""

    target: str | None = None
    parties: Mapping[str, str] = field(default_factory=dict)
    data: Path
    env: Mapping[str, Any] = field(default_factory=dict, repr=False)
    limits: Limits = DEFAULTS
    crons: Mapping[str, str] = field(default_factory=dict)
    assets: Path | None = None
    single_page: bool = False
    origins: Collection[str] = ()
    hosts: Collection[str] | None = None
    cors: bool = False
    listed: bool = False
    """Whether the home page may list the rooms."""


def environment(file: Path | None, said: Mapping[str, Any]) -> dict[str, Any]:
    """What parties see as ``room.env``: a ``.env`` file (by default the one here, if any), then ``said`` on top.

    Raises ``ConfigError``.
    """
    if file is not None and not file.is_file():
        raise ConfigError(f"{file} does not exist: --env-file names a file of NAME=value lines")
    try:
        return {**dotenv_values(Path(".env") if file is None else file), **said}
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file or '.env'} is not UTF-8: {error.reason}") from None


def assemble(settings: Settings) -> Lobby:
    """The lobby that ``settings`` describe. Raises ``TargetError`` and ``ConfigError``."""
    try:
        return _assemble(settings)
    except ValueError as error:  # a schedule that is none, a folder of files that is not there
        raise ConfigError(str(error)) from None


def _assemble(settings: Settings) -> Lobby:
    for origin in settings.origins:
        if origin != "*" and not ORIGIN.fullmatch(origin):
            raise ConfigError(f"the origin {origin!r} is none: write https://example.com, https://*.example.com or *")
    pages = Pages(listed=settings.listed)
    store = SQLiteStore(settings.data / DATABASE)
    options: dict[str, Any] = {
        "assets": None if settings.assets is None else Assets(settings.assets, spa=settings.single_page),
        "crons": settings.crons,
        "store": store,
        "pages": pages,
        "env": settings.env,
        "limits": settings.limits,
        "origins": settings.origins,
        "hosts": settings.hosts,
        "cors": settings.cors,
    }
    named = {name: party(target) for name, target in settings.parties.items()}
    if settings.target is None:
        lobby = Lobby(named or PARTIES, **options)
    else:
        lobby = load(settings.target, **options)
        if lobby.store is not store:
            _settle(lobby, settings, pages)
        lobby.party_classes.update(named)
    pages.lobby = lobby
    return lobby


def _settle(lobby: Lobby, settings: Settings, pages: Pages) -> None:
    """A Lobby of the target's own keeps its settings, gets the ones it leaves open, and is not second-guessed."""
    for option, given, where in (
        ("origin", settings.origins, "origins=..."),
        ("cors", settings.cors, "cors=True"),
        ("limit", settings.limits is not DEFAULTS, "limits=Limits(...)"),
        ("cron", settings.crons, "crons=..."),
        ("serve", settings.assets, "assets=..."),
    ):
        if given:
            raise TargetError(
                f"{settings.target} has a Lobby of its own: --{option} belongs there, as Lobby(..., {where})"
            )
    if lobby.pages is None:
        lobby.pages = pages
    if lobby.hosts is None and settings.hosts is not None:
        lobby.hosts = frozenset(settings.hosts)
    lobby.env = {**settings.env, **lobby.env}
