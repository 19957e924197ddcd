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
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import PartyroomError
from ..lobby import Lobby
from ..parties import named_parties
from ..party import Party
from ..stores.base import Store

__all__ = ["TargetBroken", "TargetError", "is_file", "load", "party"]

_OURS = re.compile(rf"importlib|^<frozen |^{re.escape(str(Path(__file__).parents[1]))}[/\\]")
"""Files in which nobody looks for what is wrong with theirs: Python's (``os.environ`` is one) and this package."""


class TargetError(PartyroomError):
    """The target names nothing that can be served; the message says what to do."""


class TargetBroken(TargetError):
    """The target is there, and its own code fails; the message says where."""


def load(target: str, store: Store, **options: Any) -> Lobby:
    """The lobby that ``target`` names. A Lobby of the target's own is taken as it is, with its own store.

    ``options`` go to the ``Lobby`` that is made otherwise. Raises ``TargetError``, and ``ValueError`` for an option.
    """
    name, _, member = target.partition(":")
    module = _import(name)
    if member:
        found = getattr(module, member, None)
        if isinstance(found, Lobby):
            return found
        if isinstance(found, type) and issubclass(found, Party):
            return Lobby(found, store=store, **options)
        what = "is not there" if found is None else f"is {type(found).__name__}, not a Lobby or a Party class"
        raise TargetError(f"{target}: {member} {what}")
    lobbies = [value for value in vars(module).values() if isinstance(value, Lobby)]
    if len(lobbies) > 1:
        raise TargetError(f"{name} has {len(lobbies)} lobbies: say which, as {name}:NAME")
    if lobbies:
        return lobbies[0]
    try:
        named_parties(module)
    except ValueError:
        raise TargetError(f"{name} defines no Party class: write `class Chat(Party): ...` in it") from None
    return Lobby(module, store=store, **options)


def party(target: str) -> type[Party]:
    """The one Party class that ``chat.py:Chat`` or ``my_app.rooms:Chat`` names. Raises ``TargetError``."""
    name, colon, member = target.partition(":")
    if not colon:
        raise TargetError(f"{target}: say which class, as {target}:Chat")
    found = getattr(_import(name), member, None)
    if not (isinstance(found, type) and issubclass(found, Party)):
        what = "is not there" if found is None else f"is {type(found).__name__}, not a Party class"
        raise TargetError(f"{target}: {member} {what}")
    return found


def is_file(target: str) -> bool:
    """Whether a target is a file rather than the name of a module."""
    return target.partition(":")[0].endswith(".py")


def _import(name: str) -> ModuleType:
    """Import a file or a module, blaming whom it concerns: the name, or the code in it."""
    path = Path(name)
    is_package = name.isidentifier() and (path / "__init__.py").is_file()
    # Python tells what it has compiled by a file's size and the second in which it was written, so after --reload
    # it would run the old code where the new has the same size and came within that second.
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        if path.suffix == ".py" or (path.exists() and not is_package):
            return _run_file(path, name)
        sys.path.insert(0, "")
        return importlib.import_module(name)
    except (TargetError, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit too: the file's own code has run
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{name}.".startswith(f"{missing}."):
            raise TargetError(f"there is no file or module {name!r} here: name a .py file or a module") from None
        raise TargetBroken(_blame(name, error)) from error
    finally:
        sys.dont_write_bytecode = writes


def _run_file(path: Path, name: str) -> ModuleType:
    if not name or not path.is_file():
        kind = "is a folder" if name and path.is_dir() else "does not exist"
        raise TargetError(f"{name or 'a file without a name'} {kind}: name a Python file, or a module as my_app.rooms")
    # A file that is called as a module in use is (json.py, say) must not take its place.
    spec = importlib.util.spec_from_file_location(path.stem + "_" * (path.stem in sys.modules), path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{name} is not a Python file")
    sys.path.insert(0, str(path.resolve().parent))
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _blame(name: str, error: BaseException) -> str:
    """One line: what went wrong, and where in the user's code."""
    said = str(error)
    if isinstance(error, SyntaxError):
        said, where = error.msg, f"{error.filename}:{error.lineno}"
    else:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _OURS.search(frame.filename)]
        where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else name
    return " ".join(f"{name} cannot be loaded: {type(error).__name__}: {said} ({where})".split())
