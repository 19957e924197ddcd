"""``partyroom token`` and ``partyroom env``: tokens for those who come, and the settings that parties read."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from dotenv import dotenv_values, set_key, unset_key

from ..auth import jwt
from .rooms import fail

__all__ = ["env", "seconds", "token"]

DURATION = re.compile(r"(\d+)\s*([smhd]?)")
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

File = Annotated[Path, typer.Option("--file", "-f", help="The file of NAME=value lines.")]

env = typer.Typer(no_args_is_help=True, help="What parties see as room.env, in a .env file.")


def seconds(duration: str) -> int:
    """How long ``30m``, ``12h`` or ``7d`` is; a plain number is seconds. Raises ``ValueError``."""
    match = DURATION.fullmatch(duration.strip())
    if match is None or not int(match[1]):
        raise ValueError(f"{duration!r} is no duration: write 30m, 12h or 7d")
    return int(match[1]) * SECONDS[match[2]]


def token(
    room: Annotated[list[str] | None, typer.Option(help="A room it opens; team/* is all that begin so.")] = None,
    write: Annotated[bool, typer.Option("--write/--read-only", help="Whether its bearer may write.")] = False,
    user: Annotated[str | None, typer.Option(help="Whose it is (the claim sub).")] = None,
    claim: Annotated[list[str] | None, typer.Option(help="A further claim: NAME=JSON, or NAME=text.")] = None,
    expires: Annotated[str, typer.Option(help="How long it is good: 30m, 12h, 7d.")] = "1h",
    secret_name: Annotated[
        str, typer.Option("--secret", help="The variable, in the environment or .env, that holds the secret.")
    ] = "SECRET",
) -> None:
    """Print a token for parties that check theirs with partyroom.auth.jwt (claims: sub, rooms, write)."""
    secret = os.environ.get(secret_name) or dotenv_values(Path(".env")).get(secret_name)
    if not secret:
        fail(f"there is no {secret_name} in the environment or .env: partyroom env add {secret_name}, or --secret NAME")
    claims: dict[str, Any] = {"sub": user, "rooms": room or [], "write": write}
    for text in claim or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            fail(f"--claim takes NAME=value, not {text!r}", 2)
        claims[name] = _value(value)
    if not room and "rooms" not in [text.partition("=")[0] for text in claim or ()]:
        fail("a token opens rooms: name them with --room, '*' for all", 2)
    try:
        typer.echo(jwt(secret).sign(claims, seconds(expires)))
    except ValueError as error:
        fail(str(error), 2)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@env.command("list")
def list_env(
    file: File = Path(".env"),
    show: Annotated[bool, typer.Option("--show", help="The values too: they may be secret.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, for scripts.")] = False,
) -> None:
    """The names that are set, and with --show their values."""
    values = {name: value if show else "***" for name, value in dotenv_values(file).items()}
    if as_json:
        typer.echo(json.dumps(values))
        return
    for name, value in values.items():
        typer.echo(f"{name}={value}")


@env.command("add")
def add_env(
    name: Annotated[str, typer.Argument(help="A name such as API_KEY.")],
    value: Annotated[str | None, typer.Option(help="Its value; asked for, unseen, where it is not given.")] = None,
    file: File = Path(".env"),
) -> None:
    """Set a name, in place of what it was."""
    if not name.isidentifier():
        fail(f"{name!r} is no name for a variable: letters, digits and _", 2)
    if value is None:
        value = typer.prompt(f"{name}", hide_input=True)
    if not file.exists():
        file.touch(mode=0o600)
    set_key(file, name, value)


@env.command("remove")
def remove_env(name: Annotated[str, typer.Argument(help="The name to unset.")], file: File = Path(".env")) -> None:
    """Unset a name."""
    if name not in dotenv_values(file):
        fail(f"{file} has no {name}", 3)
    unset_key(file, name)
