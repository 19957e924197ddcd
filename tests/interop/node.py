"""A published client in a child process: commands go in and events come out as JSON lines (see ``driver.js``)."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MIB = 1024 * 1024

Event = dict[str, Any]


class NodeError(Exception):
    """The client's script failed at what it was asked to do; the text is its own stack trace."""


class NodeClient:
    """One running script; ``event`` and ``until`` wait for what the client reports, with a deadline."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._calls = itertools.count()
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._events: defaultdict[str, list[Event]] = defaultdict(list)
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def running(cls, script: str, *arguments: str) -> AsyncIterator[NodeClient]:
        """Start ``node SCRIPT``, or Python for a script of Python's, and end it with the block."""
        program = sys.executable if script.endswith(".py") else "node"
        process = await asyncio.create_subprocess_exec(
            program, str(HERE / script), *arguments, stdin=PIPE, stdout=PIPE, limit=16 * MIB, cwd=HERE
        )
        client = cls(process)
        try:
            await client.event("ready")
            yield client
        finally:
            await client._end()

    async def call(self, op: str, **args: Any) -> Any:
        """Have the script do ``op``; returns its answer, raises ``NodeError`` with its failure."""
        number = next(self._calls)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"call": number, "op": op, "args": args}).encode() + b"\n")
        async with asyncio.timeout(30):
            return await answer

    async def event(self, name: str, timeout: float = 10, **fields: Any) -> Event:
        """The oldest ``name`` event with these ``fields`` that was not yet taken, or the next one to come."""

        def found() -> Event | None:
            return next((event for event in self._events[name] if fields.items() <= event.items()), None)

        async with self._news:
            try:
                async with asyncio.timeout(timeout):
                    event = await self._news.wait_for(found)
            except TimeoutError:
                raise AssertionError(f"no {name} {fields or ''} in {timeout} s, only {dict(self._events)}") from None
        assert event is not None
        self._events[name].remove(event)
        return event

    async def events(self, name: str, count: int, timeout: float = 30) -> list[Event]:
        """The ``count`` next ``name`` events, in order."""
        waiting = self._events[name]
        async with self._news:
            try:
                async with asyncio.timeout(timeout):
                    await self._news.wait_for(lambda: len(waiting) >= count)
            except TimeoutError:
                raise AssertionError(f"{len(waiting)} of {count} {name} events in {timeout} s") from None
        taken, waiting[:] = waiting[:count], waiting[count:]
        return taken

    def untaken(self, name: str) -> list[Event]:
        """What of ``name`` has come and was not taken yet."""
        return list(self._events[name])

    async def until(self, wanted: Callable[[Any], bool], timeout: float = 15) -> Any:
        """The client's snapshot as soon as it is ``wanted``; looked at again whenever the client reports a change."""
        snapshot = None
        try:
            async with asyncio.timeout(timeout):
                while not wanted(snapshot := await self.call("snapshot")):
                    await self.event("changed", timeout=timeout)
        except (TimeoutError, AssertionError):
            raise AssertionError(f"not so within {timeout} s; last seen: {snapshot}") from None
        return snapshot

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = json.loads(line)
            if "event" in message:
                async with self._news:
                    self._events[message["event"]].append(message)
                    self._news.notify_all()
                continue
            answer = self._answers.pop(message["call"])
            if answer.cancelled():  # the test has given up on it
                continue
            if "error" in message:
                answer.set_exception(NodeError(message["error"]))
            else:
                answer.set_result(message["value"])

    async def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading
        for answer in self._answers.values():
            answer.cancel()
