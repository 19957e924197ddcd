"""Scheduler: things to do later, kept with the room, done at least once and never early, also after a restart.

::

    scheduler = room.parties["scheduler"]["main"]
    await scheduler.call("schedule", id="tea", delay=240, callback={"type": "room", "party": "kitchen", "room": "tea"})

A task has a time (``at``, seconds since the epoch), a ``delay`` in seconds, or a ``cron`` schedule in UTC; it carries a
``payload`` (JSON), and when it is due one of these gets the task as JSON:

===============================================================  =================================================
``{"type": "self"}``                                             ``on_task(task)`` of a subclass
``{"type": "room", "party": ..., "room": ..., "path": "/..."}``  a ``POST`` to another room, past the before-hooks
``{"type": "webhook", "url": ...}``                              a ``POST`` to an address that ``webhooks`` allows
===============================================================  =================================================

What fails is tried again after 2, 4, 8... seconds, six times; then it is logged and given up, and a cron waits for its
next time. Over HTTP: ``GET tasks``, ``POST tasks``, ``GET tasks/<id>``, ``DELETE tasks/<id>`` and
``POST tasks/<id>/run``, for whom ``on_before_request`` lets in. Facts about the tasks of ``partywhen``:
threepointone/partyserver, ``packages/partywhen``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import urllib.request
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import uuid4

from ..crons import Schedule
from ..errors import PartyroomError, Refused
from ..http import Request, Response
from ..party import MaybeAwaitable, Party, settled

__all__ = ["Scheduler", "Task", "TaskError"]

log = logging.getLogger("partyroom.readymade")

KEY = "task/"
FIRST_RETRY, RETRIES = 2.0, 6
WEBHOOK_TIMEOUT = 10.0


class TaskError(PartyroomError, ValueError):
    """A task is not what it should be; the message says what it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something to do at ``at`` (seconds since the epoch), and again by ``cron`` where there is one."""

    id: str
    at: float
    callback: dict[str, Any] = field(default_factory=lambda: {"type": "self"})
    payload: Any = None
    cron: str | None = None
    description: str = ""
    failures: int = 0
    """How often it has failed since it last succeeded."""


class Scheduler(Party):
    """A room that remembers what to do when. HTTP is refused unless ``on_before_request`` is overridden."""

    webhooks: ClassVar[tuple[str, ...]] = ()
    """What the address of a webhook may begin with, ``https://hooks.example.com/`` for one; nothing by default."""
    tasks_at_most: ClassVar[int] = 10_000
    """How many tasks one room holds; more are refused."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Raises ``ValueError`` for a webhook without a path: ``https://a.example`` begins ``https://a.example.evil``."""
        super().__init_subclass__(**options)
        for beginning in cls.webhooks:
            if not urlsplit(beginning).path:
                raise ValueError(f"{cls.__name__}.webhooks: {beginning!r} needs a slash after the host")

    @classmethod
    def on_before_request(cls, request: Request) -> MaybeAwaitable[Request | Response | None]:
        """Nobody from outside, by default: a task may call any room."""
        return Response("This scheduler takes no requests from outside\n", 403)

    @classmethod
    def on_before_connect(cls, request: Request) -> MaybeAwaitable[Request | Response | None]:
        """There is nothing to connect to."""
        return Response("A scheduler is asked over HTTP\n", 403)

    def on_task(self, task: Task) -> MaybeAwaitable[None]:
        """A task with the callback ``self`` is due; raising has it tried again."""
        raise TaskError(f"{type(self).__name__} has no on_task")

    # -- for party code: room.parties["scheduler"]["main"].call("schedule", ...) --------------------------------------

    async def schedule(
        self,
        *,
        id: str | None = None,
        at: float | None = None,
        delay: float | None = None,
        cron: str | None = None,
        callback: dict[str, Any] | None = None,
        payload: Any = None,
        description: str = "",
    ) -> Task:
        """Keep a task, in place of one of the same ``id``; returns once it is on disk. Raises ``TaskError``."""
        if sum(when is not None for when in (at, delay, cron)) != 1:
            raise TaskError("a task has one of at (seconds since the epoch), delay (seconds) and cron")
        task = Task(
            id=_text(id or str(uuid4()), "id"),
            at=_when(self.room.now(), at, delay, cron),
            callback=self._callback({"type": "self"} if callback is None else callback),
            payload=payload,
            cron=cron,
            description=_text(description, "description", empty=True),
        )
        if task.id not in self._tasks and len(self._tasks) >= self.tasks_at_most:
            raise TaskError(f"this scheduler holds {self.tasks_at_most} tasks already")
        written = self._keep(task)
        self._arm()
        await written
        return task

    def tasks(self) -> list[Task]:
        """All tasks, the earliest first."""
        return sorted(self._tasks.values(), key=lambda task: task.at)

    def task(self, id: str) -> Task | None:
        """The task of that id."""
        return self._tasks.get(id)

    async def cancel(self, id: str) -> bool:
        """Forget a task; whether there was one."""
        known = self._tasks.pop(id, None) is not None
        written = self.room.storage.delete(KEY + id)
        self._arm()
        await written
        return known

    # -- hooks -------------------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Load the tasks."""
        stored = await self.room.storage.list(KEY)
        self._tasks = {value["id"]: Task(**value) for value in stored.values()}
        self._arm()

    async def on_alarm(self) -> None:
        """Do what is due, each by itself: one that hangs or fails keeps no other."""
        now = self.room.now()
        due = [task for task in self.tasks() if task.at <= now]
        await asyncio.gather(*(self._do(task) for task in due))
        self._arm()

    async def on_request(self, request: Request) -> Response:
        """The tasks over HTTP."""
        what, _, rest = request.subpath.partition("/")
        if what != "tasks":
            return Response("Not found: there are only tasks\n", 404)
        try:
            return await self._answer(request, rest)
        except (ValueError, TypeError, RecursionError) as error:  # no JSON, an argument that is none, a TaskError
            return Response(f"This is no task: {error}\n", 400)

    async def _answer(self, request: Request, rest: str) -> Response:
        id, _, verb = rest.partition("/")
        match request.method, bool(id), verb:
            case "GET", False, _:
                return Response.json([asdict(task) for task in self.tasks()])
            case "POST", False, _:
                return Response.json(asdict(await self.schedule(**request.json())), 201)
            case _, True, _ if id not in self._tasks:
                return Response("There is no such task\n", 404)
            case "GET", True, "":
                return Response.json(asdict(self._tasks[id]))
            case "DELETE", True, "":
                await self.cancel(id)
                return Response(status=204)
            case "POST", True, "run":
                await self._call(self._tasks[id])
                return Response(status=204)
        return Response("A task is asked for, posted, run or deleted\n", 405)

    # -- doing -------------------------------------------------------------------------------------------------------

    async def _do(self, task: Task) -> None:
        try:
            await self._call(task)
        except Exception as error:
            failures = task.failures + 1
            log.error("%s: the task %r failed (%d)", self.room.address, task.id, failures, exc_info=error)
            done = replace(task, at=self.room.now() + FIRST_RETRY * 2**task.failures, failures=failures)
            again = failures <= RETRIES
        else:
            done, again = task, False
        if self._tasks.get(task.id) is not task:
            return  # cancelled or replaced meanwhile
        if again:
            await self._keep(done)
        elif task.cron is not None:
            await self._keep(replace(task, at=Schedule(task.cron).after(self.room.now()), failures=0))
        else:
            await self.cancel(task.id)

    async def _call(self, task: Task) -> None:
        callback = task.callback
        if callback["type"] == "self":
            await settled(self.on_task(task))
            return
        body = json.dumps(asdict(task), ensure_ascii=False, allow_nan=False).encode()
        if callback["type"] == "webhook":
            self._callback(callback)  # what is allowed may have changed since it was kept
            await asyncio.to_thread(_post, callback["url"], body)
            return
        stub = self.room.parties[callback["party"]][callback["room"]]
        json_headers = {"content-type": "application/json"}
        response = await stub.fetch(callback.get("path", ""), "POST", headers=json_headers, body=body)
        if response.status >= 300:
            raise Refused(response.status, f"{stub.address} answered {response.status}")

    def _callback(self, callback: dict[str, Any]) -> dict[str, Any]:
        match callback:
            case {"type": "self"}:
                return callback
            case {"type": "room", "party": str(party), "room": str()}:
                if party in self.room.parties and isinstance(callback.get("path", ""), str):
                    return callback
                raise TaskError(f"there is no party {party!r} here")
            case {"type": "webhook", "url": str(url)}:
                if url.startswith(self.webhooks or ("\0",)):
                    return callback
                raise TaskError(f"webhooks to {url[:80]!r} are not allowed here: {type(self).__name__}.webhooks")
        raise TaskError(
            'a callback is {"type": "self"}, {"type": "room", "party", "room"} or {"type": "webhook", "url"}'
        )

    def _keep(self, task: Task) -> Any:
        self._tasks[task.id] = task
        return self.room.storage.put(KEY + task.id, asdict(task))

    def _arm(self) -> None:
        earliest = min((task.at for task in self._tasks.values()), default=None)
        if earliest is not None:
            self.room.set_alarm(earliest)
        elif self.room.get_alarm() is not None:
            self.room.delete_alarm()


def _when(now: float, at: Any, delay: Any, cron: Any) -> float:
    if cron is not None:
        return Schedule(_text(cron, "cron")).after(now)
    seconds = at if at is not None else delay
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < 1e11:
        raise TaskError(f"a time is a number of seconds, not {seconds!r}")
    return float(seconds) if at is not None else now + seconds


def _text(value: Any, what: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or len(value) > 500 or not (value or empty):
        raise TaskError(f"{what} is a text of at most 500 characters")
    return value


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Where a webhook leads is for ``webhooks`` to say, not for the one who answers."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _post(url: str, body: bytes) -> None:
    """Raises ``OSError`` for anything but success. Proxies are those of the environment."""
    opener = urllib.request.build_opener(_NoRedirects)
    request = urllib.request.Request(url, body, {"content-type": "application/json"}, method="POST")
    with opener.open(request, timeout=WEBHOOK_TIMEOUT) as answer:
        answer.read(64 * 1024)
