"""What ``partyroom serve TARGET`` may name, and the lobby it makes of it.

====================  ==============================================================================
``chat.py``           a file: its Party subclasses under the kebab-case of their names, the first also ``main``;
                      or its one ``Lobby``
``my_app.rooms``      a module, the same
``my_app:lobby``      a ``Lobby`` in a module or file
``my_app:Chat``       a Party class in a module or file, as ``chat`` and ``main``
====================  ==============================================================================
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import PartyroomError
from ..lobby import Lobby
from ..party import Party
from ..stores.base import Store

__all__ = ["TargetError", "load"]


class TargetError(PartyroomError):
    """The target names nothing that can be served; the message says what to do."""


def load(target: str, store: Store, **options: Any) -> Lobby:
    """The lobby that ``target`` names. A Lobby of the target's own is taken as it is, with its own store.

    ``options`` go to the ``Lobby`` that is made otherwise. Raises ``TargetError``.
    """
    name, _, member = target.partition(":")
    module = _import(name)
    if member:
        found = getattr(module, member, None)
        if isinstance(found, Lobby):
            return found
        if isinstance(found, type) and issubclass(found, Party):
            return Lobby(found, store=store, **options)
        what = "has no such name" if found is None else f"is {type(found).__name__}, not a Lobby or a Party class"
        raise TargetError(f"{target}: {member} {what}")
    lobbies = [value for value in vars(module).values() if isinstance(value, Lobby)]
    if len(lobbies) > 1:
        raise TargetError(f"{target} has {len(lobbies)} lobbies: say which, as {target}:NAME")
    if lobbies:
        return lobbies[0]
    try:
        return Lobby(module, store=store, **options)
    except ValueError:
        raise TargetError(f"{target} defines no Party class: write `class Chat(Party): ...` in it") from None


def _import(name: str) -> ModuleType:
    """Import a file or a module, blaming whom it concerns: the name, or the code in it."""
    path = Path(name)
    is_file = path.suffix == ".py" or path.exists()
    if is_file and not path.is_file():
        kind = "is a folder" if path.is_dir() else "does not exist"
        raise TargetError(f"{name} {kind}: name a Python file, or a module as my_app.rooms")
    try:
        if is_file:
            sys.path.insert(0, str(path.resolve().parent))
            spec = importlib.util.spec_from_file_location(path.stem, path)
            if spec is None or spec.loader is None:
                raise TargetError(f"{name} is not a Python file")
            module = importlib.util.module_from_spec(spec)
            sys.modules[path.stem] = module
            spec.loader.exec_module(module)
            return module
        sys.path.insert(0, "")
        return importlib.import_module(name)
    except TargetError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and name.split(".")[0] == error.name.split(".")[0]:
            raise TargetError(f"there is no file or module {name!r} here: name a .py file or a module") from None
        raise TargetError(_blame(name, error)) from error
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise TargetError(_blame(name, error)) from error


def _blame(name: str, error: BaseException) -> str:
    """One line: what went wrong, and where in the user's code."""
    if isinstance(error, SyntaxError):
        where = f"{error.filename}:{error.lineno}"
    else:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
        where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else name
    return f"{name} cannot be loaded: {type(error).__name__}: {error} ({where})"
