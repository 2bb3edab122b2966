"""Run a tool and collect what it says."""

import asyncio
from collections.abc import Sequence

TIMEOUT_S = 30.0


async def run(argv: Sequence[str], text: str = "") -> tuple[int, str, str]:
    """Exit code, output and errors of a command given `text` on its input; it is killed after 30 s."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, err = await process.communicate(text.encode())
    except (TimeoutError, asyncio.CancelledError):
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
