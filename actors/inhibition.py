"""What explains what: a dead device its links, a dead link its load and losses; and which silence means which alert."""

from actors.alerting import Silence
from paranet.errors import InvalidInput
from paranet.metrics.alerts.alert import Alert
from paranet.metrics.matchers import Matcher
from paranet.models.topology import Topology


class Graph:
    """Which nodes a link has."""

    def __init__(self) -> None:
        self._ends: dict[str, frozenset[str]] = {}

    def follow(self, topology: Topology) -> None:
        """Take the topology as it is now."""
        self._ends = {link.id: frozenset((link.source.node, link.target.node)) for link in topology.links.values()}

    def explains(self, source: Alert, alert: Alert) -> bool:
        """Tell whether *source* (of scope node or link) makes a notice about *alert* needless."""
        mine, theirs = source.labels, alert.labels
        if mine.get("scope") == "node":
            node = mine.get("node", "")
            if theirs.get("scope") == "node" or not node:
                return False
            return theirs.get("node") == node or node in self._ends.get(theirs.get("link", ""), ())
        if theirs.get("scope") in ("node", "link"):
            return False
        if "link" in theirs:
            return theirs["link"] == mine.get("link")
        return "flow" in theirs


def silenced_by(alert: Alert, silence: Silence, now: float) -> bool:
    """Tell whether a silence means an alert now."""
    if not silence.starts_at <= now < silence.ends_at:
        return False
    try:
        return all(
            Matcher(pair.name, "=~" if pair.regex else "=", pair.value).test(alert.labels.get(pair.name, "")) for pair in silence.matchers
        )
    except InvalidInput:
        return False
