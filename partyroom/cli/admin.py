"""Admin: what ``partyroom rooms``, ``tail``, ``dump`` and ``restore`` ask of a server, as a party like any other.

Its one room is ``/parties/.partyroom/admin``, and only who brings the secret of the data folder gets in
(``Authorization: Bearer``, never in the address, which others write down). The verbs are its sub-paths; ``party`` and
``room`` are query parameters.

=========  ==================  ==================================================================================
GET        ``rooms``           every room, live or stored
GET        ``room``            one of them: who is in it, what it keeps
DELETE     ``room``            stop it and delete what it keeps (``deleted``); clients are closed with 4410
GET        ``dump``            what a room keeps, a JSON line each key
POST       ``restore``         the same lines; ``replace=1`` for rooms that keep something already
POST       ``upload``          a part of such lines that are too many for one request: ``restore`` with the same ``id``
                               follows, and brings the last
POST       ``cron``            run the cron ``name`` now
GET        ``metrics``         for Prometheus (text format 0.0.4)
GET        ``version``         of partyroom: it is this server, and it is there
WebSocket                      the log as it is written, a JSON text a line, from ``level`` up
=========  ==================  ==================================================================================
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from time import time
from typing import TYPE_CHECKING, Any, ClassVar

from ..connection import Connection
from ..crons import UnknownCronError
from ..errors import LimitError, Refused, StoreError
from ..http import Address, Request, Response
from ..party import Party
from .deleted import NAME, delete, is_deleted, rooms
from .log import Tail
from .metrics import CONTENT_TYPE, exposition
from .transfer import TransferError, dump, restore

if TYPE_CHECKING:
    from ..lobby import Lobby

__all__ = ["HIDDEN", "NAME", "PATH", "Admin", "admin"]

log = logging.getLogger("partyroom.cli")

PATH = f"/parties/{NAME}/admin"
HIDDEN = "Not found\n"
"""What those hear who do not know the secret."""


class Admin(Party):
    """The verbs; ``admin`` makes the class that serves one lobby."""

    durable = False
    lobby: ClassVar[Lobby]
    secret: ClassVar[str]

    @classmethod
    def on_before_connect(cls, request: Request) -> Response | None:
        """Let in who knows the secret of the data folder."""
        return None if request.room == "admin" and cls._knows_secret(request) else Response(HIDDEN, 404)

    on_before_request = on_before_connect

    @classmethod
    def _knows_secret(cls, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        said = token.strip().encode(errors="surrogatepass")  # header bytes that are no text come as surrogates
        return scheme.lower() == "bearer" and bool(cls.secret) and hmac.compare_digest(said, cls.secret.encode())

    def on_start(self) -> None:
        """Listen to the log."""
        self._tail = Tail(self.room)
        self._uploads: dict[str, bytearray] = {}

    def on_stop(self) -> None:
        """Listen no more."""
        self._tail.end()

    def on_connect(self, connection: Connection) -> None:
        """Somebody follows the log."""
        self._tail.follow(connection, connection.request.query.get("level", "info"))

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        """Somebody has seen enough."""
        self._tail.leave(connection)

    async def on_request(self, request: Request) -> Response:
        """Do what a verb says."""
        if not self._knows_secret(request):  # it came past the hook above: from a room, which others may steer
            return Response(HIDDEN, 404)
        verbs: Mapping[tuple[str, str], Callable[[Request], Awaitable[Response]]] = {
            ("GET", "rooms"): self._rooms,
            ("GET", "room"): self._room,
            ("DELETE", "room"): self._delete,
            ("GET", "dump"): self._dump,
            ("POST", "restore"): self._restore,
            ("POST", "upload"): self._upload,
            ("POST", "cron"): self._cron,
            ("GET", "metrics"): self._metrics,
            ("GET", "version"): self._version,
        }
        verb = verbs.get((request.method, request.subpath))
        if verb is None:
            return Response("There is no such verb\n", 404)
        try:
            return await verb(request)
        except (TransferError, LimitError, UnicodeDecodeError) as error:
            return Response(f"{error}\n", 400)
        except Refused as refused:
            return Response(f"{refused.reason}\n", refused.status)
        except StoreError as error:
            return Response(f"The store cannot do it now: {error}\n", 503)

    async def _rooms(self, request: Request) -> Response:
        """Every room: ``[{"party", "room", "live", "people", "phase"}]``, sorted."""
        asked = request.query.get("party") or None
        live = {room.address: room for room in self.lobby.rooms() if room.address != self.room.address}
        stored = await rooms(self.lobby.store, asked)
        listed = [
            {
                "party": address.party,
                "room": address.room,
                "live": address in live,
                "phase": live[address].life.phase.value if address in live else None,
                "people": len(live[address]) if address in live else 0,
                "stored": address in stored or (address in live and live[address].storage.dirty),
            }
            for address in sorted({*live, *stored})
            if asked is None or address.party == asked
        ]
        return Response.json(listed)

    async def _room(self, request: Request) -> Response:
        address = self._address(request)
        live = next((room for room in self.lobby.rooms() if room.address == address), None)
        rows = await self.lobby.store.load(address)
        if live is None and (not rows or is_deleted(rows)):
            raise Refused(404, f"There is no room {address}")
        return Response.json(
            {
                "party": address.party,
                "room": address.room,
                "phase": live.life.phase.value if live is not None else None,
                "alarm": live.get_alarm() if live is not None else None,
                "failing": live.storage.failing if live is not None else False,
                "connections": [_told(connection) for connection in live.connections()] if live is not None else [],
                "keys": [{"key": key, "bytes": len(value)} for key, value in rows[:MOST_KEYS]],
                "stored_keys": len(rows),
                "stored_bytes": sum(len(value) for _, value in rows),
            }
        )

    async def _delete(self, request: Request) -> Response:
        address = self._address(request)
        known = any(room.address == address for room in self.lobby.rooms())
        store = self.lobby.store
        rows = await store.load(address)
        # The rooms are asked last: only one that keeps nothing but SQL or an alarm is not found before.
        gone = (not rows or is_deleted(rows)) and address not in await rooms(store, address.party)
        if gone and not known:
            raise Refused(404, f"There is no room {address}")
        await delete(self.lobby, address, time())
        return Response.json({"deleted": [address.party, address.room]})

    async def _dump(self, request: Request) -> Response:
        lines = await dump(self.lobby, self._address(request))
        return Response(lines, headers={"content-type": "application/x-ndjson"})

    async def _restore(self, request: Request) -> Response:
        replace = request.query.get("replace") == "1"
        body = self._uploads.pop(request.query.get("id", ""), b"") + request.body
        restored = await restore(self.lobby, body.decode().split("\n"), replace=replace)
        return Response.json({"restored": restored})

    async def _upload(self, request: Request) -> Response:
        self._uploads.setdefault(request.query.get("id", ""), bytearray()).extend(request.body)
        return Response.json({"held": len(self._uploads)})

    async def _cron(self, request: Request) -> Response:
        name = request.query.get("name", "")
        try:
            await self.lobby.trigger_cron(name)
        except UnknownCronError as error:
            raise Refused(404, str(error)) from None
        except Exception as error:
            log.exception("on_cron failed for %s, which was run by hand", name)
            raise Refused(500, f"{name} failed: {type(error).__name__}: {error}") from None
        return Response.json({"ran": name})

    async def _metrics(self, request: Request) -> Response:
        return Response(exposition(self.lobby), headers={"content-type": CONTENT_TYPE})

    async def _version(self, request: Request) -> Response:
        return Response(version("partyroom"))

    def _address(self, request: Request) -> Address:
        address = Address(request.query.get("party", ""), request.query.get("room", ""))
        if not address.party or not address.room or address.party == NAME:
            raise Refused(400, "Name a room: ?party=chat&room=lobby")
        return address


MOST_KEYS = 100


def _told(connection: Connection) -> dict[str, Any]:
    return {
        "id": connection.id,
        "tags": list(connection.tags[1:]),
        "remote": connection.request.remote,
        "user": connection.request.user if isinstance(connection.request.user, (str, dict)) else None,
    }


def admin(lobby: Lobby, secret: str) -> type[Admin]:
    """The admin party of a lobby, to be added to its ``party_classes`` under ``NAME``."""
    return type("Admin", (Admin,), {"lobby": lobby, "secret": secret})
