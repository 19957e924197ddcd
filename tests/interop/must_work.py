"""What must work for who comes from PartyKit, by number: ``pytest -m "must_work(item=11)"`` shows one of them.

A test says which it shows with ``@pytest.mark.must_work(item=11)``; ``test_must_work.py`` has those that nothing else
here shows. All run against the published npm packages of ``package.json``, unmodified.
"""

from __future__ import annotations

__all__ = ["ITEMS"]

ITEMS = {
    1: "partysocket reaches the room that its party, room, path, basePath, query and _pk name",
    2: "what it sends before it is open, or while on_connect still runs, comes after on_connect and in order",
    3: "text stays text and bytes stay bytes, in order, up to the largest message; one that is larger ends the socket",
    4: "it comes back by itself, with its id, after a restart and a kill, and what was said meanwhile arrives",
    5: "close codes and reasons arrive on both sides, and on_close runs once",
    6: "PartySocket.fetch reaches on_request, on_fetch, and files with a page for every path; CORS and preflights",
    7: "partysocket/react: the hook of a page in a browser",
    8: "before-hooks refuse and annotate; a query that is a function brings a new token to each attempt",
    9: "two sockets of one id live; tags and broadcasts with exceptions reach whom they should",
    11: "a room hibernates: its sockets, their state and their tags outlive it, and on_start runs again",
    12: "storage keeps ranges and transactions, and an alarm rings after a kill",
    13: "rooms ask other rooms by request and by socket; sockets outside rooms; crons",
    14: "y-partykit's provider: edits, chunks, presence, going offline, restarts",
    15: "y-partyserver's provider: the same, and custom messages",
    16: "what partysub and partyfn say on a PartySocket: topics and functions",
}
"""The items, under the numbers that are asked for: there is no 10."""
