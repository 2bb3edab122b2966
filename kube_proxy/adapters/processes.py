"""Run a tool and collect what it says."""

import asyncio
import os
from collections.abc import Sequence

TIMEOUT_S = 30.0


async def run(argv: Sequence[str], text: str = "") -> tuple[int, str, str]:
    """Exit code, output and errors of a command given `text` on its input; it is killed after 30 s."""
    # a file rather than a pipe: a tool that ends before it has read everything is then no special case
    source = os.memfd_create("input", os.MFD_CLOEXEC)
    try:
        os.write(source, text.encode())
        os.lseek(source, 0, os.SEEK_SET)
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=source, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    finally:
        os.close(source)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, err = await process.communicate()
    except (TimeoutError, asyncio.CancelledError):
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
