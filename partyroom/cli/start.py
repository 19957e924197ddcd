"""``partyroom init``: a folder that runs, to begin from."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from .rooms import fail

__all__ = ["TEMPLATES", "Template", "init"]

Template = Literal["chat", "document", "game"]
TEMPLATES: tuple[Template, ...] = get_args(Template)

LEFT_OUT = ("__pycache__",)


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    template: Annotated[Template, typer.Option("--template", "-t", help="What to begin from.")] = "chat",
) -> None:
    """Make a folder with a party, its settings, a page and a test."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        fail(f"{folder} is there already and not empty: name a new folder", 4)
    try:
        _copy(files("partyroom.cli") / "templates" / template, folder)
    except OSError as error:
        fail(f"{folder} cannot be written: {error.strerror}")
    typer.echo(f"partyroom: {folder} is ready\n\n  cd {folder}\n  partyroom serve --reload --open")


def _copy(source: Traversable, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    for item in source.iterdir():
        if item.name in LEFT_OUT:
            continue
        if item.is_dir():
            _copy(item, to / item.name)
        else:
            name = ".gitignore" if item.name == "gitignore" else item.name
            (to / name).write_bytes(item.read_bytes())
