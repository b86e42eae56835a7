"""The hub's own figures for Prometheus. Actors are summed by type, so their number does not matter."""

from collections import defaultdict
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.runtime import inspect
from hub.house import House

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class HouseCollector(Collector):
    """Reads the house when it is scraped; keeps nothing."""

    def __init__(self, house: House) -> None:
        self._house = house

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as they are now."""
        system = self._house.system
        yield GaugeMetricFamily("paranet_hub_uptime_seconds", "Time since the hub started", value=self._house.uptime)
        yield GaugeMetricFamily("paranet_hub_clients", "WebSocket clients connected", value=len(self._house.outlets))
        dead = CounterMetricFamily("paranet_hub_dead_letters", "Messages that nobody processed", labels=["reason"])
        for reason, count in system.dead_letters.by_reason.items():
            dead.add_metric([reason], count)
        yield dead
        yield CounterMetricFamily("paranet_hub_limited", "Requests refused as too many", value=self._house.limits.refused)
        connections = self._house.connections
        yield GaugeMetricFamily("paranet_hub_connections", "HTTP connections open", value=len(connections))
        yield CounterMetricFamily("paranet_hub_connections_refused", "HTTP connections refused as too many", value=connections.refused)
        if self._house.redis is not None:
            yield GaugeMetricFamily("paranet_hub_redis_up", "Redis is there", value=float(self._house.redis.up))
        reads = CounterMetricFamily("paranet_hub_cache_reads", "Computed answers asked for", labels=["found"])
        reads.add_metric(["true"], self._house.cache.hits)
        reads.add_metric(["false"], self._house.cache.misses)
        yield reads
        lag = inspect.lag(system)
        yield GaugeMetricFamily("paranet_hub_loop_lag_seconds", "99th percentile of the event loop's lag, last minute", value=lag.p99)
        sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for cell in system.cells():
            of_type = sums[type(cell.actor).__name__]
            of_type["actors"] += 1
            of_type["mailbox_messages"] += len(cell.lane.queue)
            of_type["processed"] += cell.processed
            of_type["dropped"] += sum(cell.dropped.values())
            of_type["restarts"] += cell.restarts
            of_type["ask_timeouts"] += cell.ask_timeouts
            of_type["late_replies"] += cell.late_replies
            of_type["poison"] += cell.poison
        for name, help_text, kind in (
            ("actors", "Actors alive", GaugeMetricFamily),
            ("mailbox_messages", "Messages that wait", GaugeMetricFamily),
            ("processed", "Messages processed by the actors alive", CounterMetricFamily),
            ("dropped", "Messages dropped by the actors alive", CounterMetricFamily),
            ("restarts", "Restarts of the actors alive", CounterMetricFamily),
            ("ask_timeouts", "Asks of the actors alive that got no answer in time", CounterMetricFamily),
            ("late_replies", "Answers of the actors alive that came too late", CounterMetricFamily),
            ("poison", "Messages that crashed an actor alive", CounterMetricFamily),
        ):
            family = kind(f"paranet_hub_actor_{name}" if name != "actors" else "paranet_hub_actors", help_text, labels=["type"])
            for type_name, of_type in sums.items():
                family.add_metric([type_name], of_type[name])
            yield family


def exposition(house: House) -> bytes:
    """Return the figures in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(HouseCollector(house))
    return generate_latest(registry)
