"""Metrics for Prometheus: read off the lobby when they are asked for, so they cost nothing otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from ..lobby import Lobby

__all__ = ["CONTENT_TYPE", "exposition"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def exposition(lobby: Lobby) -> bytes:
    """The metrics of a lobby and its process, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Rooms(lobby))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Rooms(Collector):
    def __init__(self, lobby: Lobby) -> None:
        self._lobby = lobby

    def collect(self) -> Iterator[Metric]:
        rooms, people, failing = Counter[tuple[str, str]](), Counter[str](), Counter[str]()
        for room in self._lobby.rooms():
            rooms[room.party, room.life.phase.value] += 1
            people[room.party] += len(room)
            failing[room.party] += room.storage.failing
        yield InfoMetricFamily("partyroom", "The server", {"version": version("partyroom")})
        gauge = GaugeMetricFamily("partyroom_rooms", "Rooms in memory", labels=["party", "phase"])
        for labels, count in rooms.items():
            gauge.add_metric(labels, count)
        yield gauge
        for name, help, counts in (
            ("partyroom_connections", "Open connections", people),
            ("partyroom_failing_rooms", "Rooms whose store refuses their writes, which are tried again", failing),
        ):
            gauge = GaugeMetricFamily(name, help, labels=["party"])
            for party in self._lobby.party_classes:
                gauge.add_metric([party], counts[party])
            yield gauge
