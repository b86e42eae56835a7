"""The log: to stderr, for people on a terminal, as JSON lines otherwise."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable

import orjson

from actors.runtime import Ref
from actors.runtime.frames import errand_now
from actors.syslog import Entry, Logged, Tap

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class WithRequest(logging.Filter):
    """Adds the id of the request to what is logged while it is answered, by whatever actor."""

    def filter(self, record: logging.LogRecord) -> bool:
        on = errand_now()
        if on is not None and not hasattr(record, "request"):
            record.request = on.request
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, message, what was passed as `extra`, and the trace of an error."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class People(logging.Formatter):
    """Short lines with the time of day."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")


def tap(syslog: Ref) -> Callable[[], None]:
    """Have everything from INFO up kept by the actor too; return what ends that."""
    loop = asyncio.get_running_loop()

    def tell(entry: Entry) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(syslog.tell, Logged(entry=entry))

    handler = Tap(tell, _STANDARD)
    handler.addFilter(WithRequest())
    logging.getLogger().addHandler(handler)
    return lambda: logging.getLogger().removeHandler(handler)


def set_up(level: str) -> None:
    """Send everything from *level* up to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(WithRequest())
    handler.setFormatter(People() if sys.stderr.isatty() else JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("aiosqlite").setLevel("WARNING")
