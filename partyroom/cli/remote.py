"""Where admin verbs go: to the server that holds the data folder, or to the folder itself where none runs.

A server leaves two files in its data folder: ``admin.secret``, made once and readable by its owner only, and
``server.json`` with its address while it runs. Without a server the verbs are answered in this process, by the same
party, on a lobby that opens the store and serves nobody.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp

from ..errors import PartyroomError, StoreError
from ..http import Headers, Query, Request, Response
from ..lobby import Lobby
from ..party import Party
from ..stores.sqlite import SQLiteStore
from .admin import HIDDEN, NAME, PATH, admin
from .assemble import DATABASE
from .pages import LOOPBACK

__all__ = ["Operator", "RemoteError", "announced", "operator", "running", "secret_for", "secret_of", "server_of"]

SECRET, SERVER = "admin.secret", "server.json"
ANSWERS = frozenset({"application/json", "application/x-ndjson", "text/plain"})
"""The types of what the admin party says; a page of somebody else's is none of them."""


class RemoteError(PartyroomError):
    """The verb could not be done; the message says why and what to do, ``status`` is the answer's, if there was one."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class NotThereError(RemoteError):
    """At an address is nothing, or somebody else."""


class Operator(Protocol):
    """Does admin verbs. Raises ``RemoteError`` for an answer that is no success."""

    async def ask(self, method: str, verb: str, body: bytes = b"", **parameters: str) -> str:
        """The answer to a verb, a text."""
        ...


def secret_of(data: Path, *, make: bool = False) -> str:
    """The secret of a data folder. Raises ``RemoteError`` without one, unless it is to be made."""
    path = data / SECRET
    try:
        if secret := path.read_text().strip():
            return secret
    except FileNotFoundError:
        pass
    except OSError as error:
        if not make:
            raise RemoteError(f"{path} cannot be read: {error.strerror}") from None
        raise
    if not make:
        raise RemoteError(f"{path} does not exist, or is empty: name the folder of a server with --data")
    data.mkdir(parents=True, exist_ok=True)
    # Whole or not there: an empty secret would be one that everybody knows.
    descriptor, new = tempfile.mkstemp(prefix=f"{SECRET}.", dir=data)  # readable by its owner only
    try:
        with open(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        os.replace(new, path)
    finally:
        Path(new).unlink(missing_ok=True)
    return path.read_text().strip()


def secret_for(url: str, data: Path, said: str | None) -> str:
    """The secret to show to the server at ``url``: ``said``, else the data folder's, but that to this machine only.

    Raises ``RemoteError``.
    """
    if said:
        return said
    if urlsplit(url).hostname not in LOOPBACK and url != server_of(data):
        raise RemoteError(
            f"the secret in {data} is not for {url}: give that server's with --secret or PARTYROOM_SECRET"
        )
    return secret_of(data)


@contextmanager
def announced(data: Path, url: str) -> Iterator[None]:
    """While this is open, admin verbs find the server at ``url`` by its data folder."""
    path = data / SERVER
    path.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def server_of(data: Path) -> str | None:
    """The URL of the server that holds a data folder, by what the folder says: ``running`` asks there."""
    try:
        said = json.loads((data / SERVER).read_text())
        if sys.platform != "win32":  # where this would not ask, but end it
            with suppress(PermissionError):  # it is there, and another user's
                os.kill(said["pid"], 0)
        return str(said["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


async def running(data: Path) -> str | None:
    """The URL of the server that holds a data folder, if one answers there that knows its secret.

    The folder may name one that was killed, and its process id and port may be another's by now. Raises ``RemoteError``
    where one that is there takes too long.
    """
    url = server_of(data)
    if url is None:
        return None
    try:
        secret = secret_of(data)
    except RemoteError:
        return url  # of somebody who keeps the secret to himself; who was given it shows it there
    try:
        async with aiohttp.ClientSession() as session:
            await _Remote(session, url, secret).ask("GET", "version")
    except NotThereError:
        return None
    except RemoteError as error:
        if error.status is None:
            raise
    return url


@asynccontextmanager
async def operator(
    data: Path, url: str | None = None, secret: str | None = None, *, make: bool = False
) -> AsyncIterator[Operator]:
    """Who does the verbs for a data folder (made if ``make``), or for a server elsewhere at ``url``.

    Raises ``RemoteError``.
    """
    url = url or await running(data)
    if url is not None:
        async with aiohttp.ClientSession() as session:
            yield _Remote(session, url.rstrip("/"), secret_for(url, data, secret))
        return
    if not make and not (data / DATABASE).is_file():
        raise RemoteError(f"there is no store in {data}: name its folder with --data, or a server with --url")
    store = SQLiteStore(data / DATABASE)
    try:
        here = _Here(store, {address.party for address in await store.rooms()})
        async with here.lobby:
            yield here
    except StoreError as error:
        raise RemoteError(str(error)) from error
    finally:
        await store.close()


class _Remote:
    def __init__(self, session: aiohttp.ClientSession, url: str, secret: str) -> None:
        self._session = session
        self._url = url
        self._headers = _bearing(secret)

    async def ask(self, method: str, verb: str, body: bytes = b"", **parameters: str) -> str:
        url = f"{self._url}{PATH}/{verb}"
        try:
            async with self._session.request(
                method, url, params=parameters, data=body, headers=self._headers
            ) as answer:
                response = Response(await answer.read(), answer.status)
                is_ours = answer.content_type in ANSWERS
        except TimeoutError:
            raise RemoteError(f"the server at {self._url} takes too long to answer") from None
        except aiohttp.ClientError as error:
            raise NotThereError(f"the server at {self._url} does not answer: {error}") from None
        if not is_ours:
            raise NotThereError(f"{self._url} is no partyroom: it answered {response.status}, {answer.content_type}")
        if (response.status, response.body) == (404, HIDDEN.encode()):
            raise NotThereError(f"the server at {self._url} does not know this secret (--secret, --data)")
        return _good(response)


class _Here:
    def __init__(self, store: SQLiteStore, parties: Iterable[str]) -> None:
        secret = secrets.token_urlsafe(32)
        self._headers = _bearing(secret)
        self.lobby = Lobby({**dict.fromkeys(parties, Party), NAME: Party}, store=store)
        self.lobby.party_classes[NAME] = admin(self.lobby, secret)

    async def ask(self, method: str, verb: str, body: bytes = b"", **parameters: str) -> str:
        query, headers = Query(parameters.items()), Headers(self._headers)
        request = Request(method=method, path=f"{PATH}/{verb}", query=query, headers=headers, body=body)
        return _good(await self.lobby.fetch(request))


def _bearing(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def _good(response: Response) -> str:
    if response.status >= 400:
        said = response.body.decode(errors="replace").strip()
        raise RemoteError(said or f"the answer was {response.status}", response.status)
    return response.text()
