"""Lines of CRI log files: `2026-01-31T12:00:00.000000000Z stdout F text`, tag P on all pieces of a long line but the last.

Source: the log format that CRI prescribes to runtimes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from apimachinery.times import parse_time


@dataclass(frozen=True, slots=True)
class LogLine:
    """One record: its time as written, the stream, the text with its line end unless it is but a piece."""

    time: bytes
    stream: bytes
    text: bytes


def parse_line(line: bytes) -> LogLine | None:
    """A record of one line (with or without its line end); None when it is none."""
    parts = line.rstrip(b"\n").split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr"):
        return None
    text = parts[3] if len(parts) == 4 else b""
    whole = parts[2].split(b":", 1)[0] != b"P"
    return LogLine(parts[0], parts[1], text + b"\n" if whole else text)


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What a reader wants: only what was written since, no more bytes than a limit, times in front of lines."""

    since: datetime | None = None
    limit_bytes: int = 0
    timestamps: bool = False


class LogFilter:
    """Turns records into what a reader gets; remembers how much that was."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._left = options.limit_bytes or None
        self._continued = False

    @property
    def full(self) -> bool:
        """The limit is reached."""
        return self._left == 0

    def feed(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces for the reader, until the limit."""
        for line in lines:
            record = parse_line(line)
            if record is None or (self._options.since is not None and _before(record.time, self._options.since)):
                continue
            text = record.text
            if self._options.timestamps and not self._continued:
                text = record.time + b" " + text
            self._continued = not record.text.endswith(b"\n")
            if self._left is not None:
                text = text[: self._left]
                self._left -= len(text)
            yield text
            if self.full:
                return


def _before(time: bytes, since: datetime) -> bool:
    try:
        # Python reads microseconds; runtimes write nanoseconds
        text = time.decode()
        moment = parse_time(text[:26] + "Z" if text.endswith("Z") else text)
    except ValueError:
        return False
    return moment < since


def tail_offset(data: bytes, lines: int) -> int:
    """Where the last `lines` whole records of `data` begin; pieces of one long line count as one."""
    if lines <= 0:
        return len(data)
    position = len(data)
    found = 0
    while position > 0:
        start = data.rfind(b"\n", 0, position - 1) + 1
        record = parse_line(data[start:position])
        if record is not None and record.text.endswith(b"\n"):
            found += 1
            if found > lines:
                return position
        position = start
    return 0
