"""``partyroom.toml``: the settings of ``partyroom serve``, each of them also a flag and an environment variable.

A flag wins over the environment, the environment over the file, and the file over the default. Tables (``parties``,
``crons``, ``limits``, ``vars``) are merged entry by entry in that order. Paths in the file are relative to it. A key
that is not known is refused, with the one that was probably meant.

In the environment a setting is called ``PARTYROOM_`` and its name in capitals, and a list or table is written
``first;second`` or ``name=value;name=value``.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..errors import PartyroomError
from ..limits import DEFAULTS, Limits
from .target import is_file

__all__ = ["FILE", "LISTS", "SCALARS", "TABLES", "Config", "ConfigError", "limits", "pairs", "variable"]

FILE = "partyroom.toml"

SCALARS: dict[str, type] = {
    "target": str,
    "host": str,
    "port": int,
    "data": str,
    "serve": str,
    "single-page": bool,
    "env-file": str,
    "cors": bool,
    "log-level": str,
}
LISTS = ("origin", "allow-host")
TABLES = ("parties", "crons", "limits", "vars")
_PATHS = ("data", "serve", "env-file")

SIZE = re.compile(r"(?i)(\d+(?:\.\d+)?)\s*(|KiB|MiB|GiB)")
UNITS = {"": 1, "kib": 1024, "mib": 1024**2, "gib": 1024**3}


class ConfigError(PartyroomError):
    """A setting is wrong; the message says which, where, and what would be right."""


def variable(key: str) -> str:
    """The environment variable of a setting: ``log-level`` is ``PARTYROOM_LOG_LEVEL``."""
    return "PARTYROOM_" + key.upper().replace("-", "_")


class Config:
    """What the file and the environment say. Raises ``ConfigError``."""

    def __init__(self, path: Path | None = None, environ: Mapping[str, str] = os.environ) -> None:
        """Reads ``path``; without one, ``partyroom.toml`` in the current folder if there is one."""
        self.path = Path(FILE) if path is None else path
        self._environ = environ
        self._said: dict[str, Any] = {}
        if path is not None or self.path.is_file():
            self._said = self._read()

    def scalars(self) -> dict[str, Any]:
        """The file's scalar settings by parameter name (``log_level``): what flags and the environment default to."""
        return {key.replace("-", "_"): self._said[key] for key in SCALARS if key in self._said}

    def list(self, key: str, given: Iterable[str] | None) -> list[str]:
        """A list setting: what flags gave, or else the environment, or else the file."""
        if given:
            return [*given]
        if (text := self._environ.get(variable(key))) is not None:
            return _split(text)
        return [*self._said.get(key, ())]

    def table(self, key: str, given: Iterable[str] | None) -> dict[str, Any]:
        """A table: the file's entries, then the environment's, then those that flags gave."""
        return {
            **self._said.get(key, {}),
            **pairs(_split(self._environ.get(variable(key), "")), variable(key)),
            **pairs(given or (), f"--{key}"),
        }

    def _read(self) -> dict[str, Any]:
        try:
            said = tomllib.loads(self.path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.path} is not TOML: {error}") from None
        for key, value in said.items():
            self._check(key, value)
        for key in _PATHS:
            if key in said:
                said[key] = str(self.path.parent / said[key])
        if "target" in said:
            said["target"] = self._beside(said["target"])
        if "parties" in said:
            said["parties"] = {name: self._beside(target) for name, target in said["parties"].items()}
        return said

    def _check(self, key: str, value: Any) -> None:
        known = (*SCALARS, *LISTS, *TABLES)
        if key not in known:
            meant = _meant(key, known)
            raise ConfigError(f"{self.path}: there is no setting {key!r}{meant or '; there are ' + ', '.join(known)}")
        if key in SCALARS and type(value) is not SCALARS[key]:
            raise ConfigError(f"{self.path}: {key} is {_kind(SCALARS[key])}, not {value!r}")
        if key in LISTS and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            raise ConfigError(f"{self.path}: {key} is a list of texts, not {value!r}")
        if key in TABLES and not isinstance(value, dict):
            raise ConfigError(f"{self.path}: {key} is a table, [{key}], not {value!r}")
        if key in ("parties", "crons"):
            for name, item in value.items():
                if not isinstance(item, str):
                    raise ConfigError(f"{self.path}: {key}.{name} is a text, not {item!r}")

    def _beside(self, target: str) -> str:
        """A target that is a file, relative to the settings' folder."""
        return str(self.path.parent / target) if is_file(target) else target


def pairs(given: Iterable[str], where: str) -> dict[str, str]:
    """``name=value`` texts as a table. Raises ``ConfigError`` that says ``where`` the wrong one was given."""
    made = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{where} takes name=value, not {text!r}")
        made[name.strip()] = value.strip()
    return made


def limits(said: Mapping[str, Any], defaults: Limits = DEFAULTS) -> Limits:
    """Limits from a table: numbers, sizes (``2 MiB``), or ``none`` for unbounded. Raises ``ConfigError``."""
    known = {one.name: str(one.type) for one in fields(Limits)}
    made: dict[str, Any] = {}
    for key, value in said.items():
        name = key.replace("-", "_")
        if name not in known:
            raise ConfigError(f"there is no limit {key!r}{_meant(name, known) or '; see the README for all'}")
        made[name] = _bound(key, value, known[name])
    return defaults if not made else Limits(**{one: made.get(one, getattr(defaults, one)) for one in known})


def _bound(key: str, value: Any, kind: str) -> float | int | None:
    text = str(value).strip()
    if text.lower() == "none" and "None" in kind:
        return None
    match = SIZE.fullmatch(text)
    if match is None or isinstance(value, bool):
        raise ConfigError(f"the limit {key} is a number or a size such as 2 MiB, not {value!r}")
    number = float(match[1]) * UNITS[match[2].lower()]
    if "float" in kind:
        return number
    if number != int(number):
        raise ConfigError(f"the limit {key} is a whole number, not {value!r}")
    return int(number)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _meant(key: str, known: Iterable[str]) -> str:
    close = get_close_matches(key.lower().replace("_", "-"), [one.replace("_", "-") for one in known], n=1)
    return f": did you mean {close[0]!r}?" if close else ""


def _kind(kind: type) -> str:
    return {str: "a text", int: "a whole number", bool: "true or false"}[kind]
