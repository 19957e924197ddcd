"""Forks servers that have everything imported already: `python zygote.py LOG`; arguments come in, process ids go out.

A line of JSON in is the command line of one server; a line out is what happens: ``born`` and ``died`` with a process
id, and ``said`` with what a server has printed.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any

import aiohttp  # noqa: F401  # what takes long to import
import pycrdt  # noqa: F401
import uvloop  # noqa: F401

import partyroom.cli.serve
import partyroom.documents.party
import partyroom.gateways.aiohttp
import partyroom.stores.sqlite  # noqa: F401
from partyroom.cli import main


def emit(**message: Any) -> None:
    print(json.dumps(message), flush=True)


def born(arguments: list[str], log: str) -> tuple[int, int]:
    """A new server's process id, and where its output can be read."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    os.dup2(writing, 1)
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT), 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["partyroom", *arguments]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdout.flush()
        os._exit(code)


def run(log: str) -> None:
    outputs: dict[int, int] = {}
    while True:
        readable, _, _ = select.select([0, *outputs], [], [])
        for source in readable:
            if source == 0:
                line = sys.stdin.readline()
                if not line:
                    return
                pid, output = born(json.loads(line), log)
                outputs[output] = pid
                emit(event="born", pid=pid)
                continue
            data = os.read(source, 65536)
            if data:
                emit(event="said", pid=outputs[source], text=data.decode())
            else:
                os.close(source)
                pid = outputs.pop(source)
                _, status = os.waitpid(pid, 0)
                emit(event="died", pid=pid, code=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    run(sys.argv[1])
