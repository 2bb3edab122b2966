"""Logging: one line a record on stderr, a constant message followed by its fields.

2026-01-31T12:00:00.000Z INFO kubelet.loops pod started pod=default/web-0 took_ms=143
"""

import logging
import sys
import time

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class FieldFormatter(logging.Formatter):
    """The message and the `extra` fields as `key=value`, quoted where they hold blanks."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        head = f"{moment}.{int(record.msecs):03d}Z {record.levelname} {record.name} {record.getMessage()}"
        fields = "".join(f" {key}={_quote(value)}" for key, value in vars(record).items() if key not in _STANDARD)
        trace = "\n" + self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
        return head + fields + trace


def configure(level: int = logging.INFO) -> None:
    """Send all records from `level` up to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FieldFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("pyroute2").setLevel(logging.WARNING)


def _quote(value: object) -> str:
    text = str(value)
    return repr(text) if not text or any(character.isspace() for character in text) else text
