"""REST: one file a resource, each with its part of the operations table. Handlers decode, ask and reply."""

from hub.operations import Operation
from hub.repeats import once
from hub.rest import alerts, assistant, auth, deploy, intent, lab, logs, monitor, prometheus, system, topology, users

_OPERATIONS: tuple[Operation, ...] = (
    *auth.OPERATIONS,
    *users.OPERATIONS,
    *topology.OPERATIONS,
    *intent.OPERATIONS,
    *assistant.OPERATIONS,
    *deploy.OPERATIONS,
    *lab.OPERATIONS,
    *monitor.OPERATIONS,
    *prometheus.OPERATIONS,
    *alerts.OPERATIONS,
    *logs.OPERATIONS,
    *system.OPERATIONS,
)
OPERATIONS = tuple(map(once, _OPERATIONS))
"""every operation of /api/v1 with the role it needs"""
