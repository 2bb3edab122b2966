"""Tell whoever supervises this process that it is ready: systemd's notify protocol, sd_notify(3).

One datagram to the unix socket named by $NOTIFY_SOCKET ("@name" is an abstract one). Without the variable nobody waits
for an answer and nothing is sent.
"""

from __future__ import annotations

import os
import socket

ENVIRONMENT_VARIABLE = "NOTIFY_SOCKET"


def notify(message: str) -> bool:
    """Send `message`, e.g. "STATUS=waiting for the cache"; whether there was a supervisor to send it to.

    OSError when the supervisor's socket is gone.
    """
    address = os.environ.get(ENVIRONMENT_VARIABLE)
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(message.encode(), address)
    return True


def ready() -> bool:
    """Report that this process serves; call it once, after the caches have synced."""
    return notify("READY=1")
