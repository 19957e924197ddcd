"""From settings to a lobby: what a Jupyter Server serves, and where it is kept."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir

from partyroom import Lobby, Party, SQLiteStore
from partyroom.cli.config import limits
from partyroom.cli.readymade import PARTIES
from partyroom.cli.target import is_file, load

from .guard import guarded

__all__ = ["assemble", "data_folder"]

FOLDER, DATABASE = ".partyroom", "partyroom.db"
"""As `partyroom serve` has them."""


def data_folder(root: Path, log: logging.Logger) -> Path:
    """Where rooms are kept unless a folder is configured: in the server's root, or, where that cannot be written, in
    Jupyter's data folder, under a name of its own for each root."""
    folder = root / FOLDER
    if _is_writable(folder):
        return folder
    name = hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:12]
    instead = Path(jupyter_data_dir()) / "partyroom" / f"{root.name or 'root'}-{name}"
    log.warning("%s cannot be written: rooms are kept in %s (PartyroomExtension.data names a folder)", folder, instead)
    return instead


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def assemble(
    target: str,
    *,
    root: Path,
    data: Path,
    bounds: Mapping[str, Any],
    crons: Mapping[str, str],
    env: Mapping[str, Any],
    noted: Callable[[], None],
    files: type[Party] | None = None,
) -> Lobby:
    """The lobby of a server; ``noted`` is called when a person has done something in one of its rooms.

    ``files`` is served as ``file``, unless the target has a party of that name.

    Raises ``PartyroomError`` and ``ValueError`` for settings that are wrong.
    """
    store = SQLiteStore(data / DATABASE)
    options: dict[str, Any] = {"store": store, "limits": limits(bounds), "crons": crons, "env": env}
    lobby = load(_beside(root, target), **options) if target else Lobby(PARTIES, **options)
    if lobby.store is not store:  # the target's own, which keeps its settings
        if bounds or crons:
            raise ValueError(f"{target} has a Lobby of its own: limits and crons belong there")
        lobby.env = {**env, **lobby.env}
    if files is not None:
        lobby.party_classes.setdefault("file", files)
    for name, party in lobby.party_classes.items():
        lobby.party_classes[name] = guarded(party, noted)
    lobby.origins = ("*",)  # Jupyter's rules have been applied before the lobby is asked
    return lobby


def _beside(root: Path, target: str) -> str:
    """A file is looked for where the server was started, and then in its root."""
    name, colon, member = target.partition(":")
    if is_file(target) and not Path(name).exists() and (root / name).exists():
        return f"{root / name}{colon}{member}"
    return target
