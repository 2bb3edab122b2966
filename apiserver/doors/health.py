"""/healthz, /livez and /readyz: named checks, all of them or one by its path, with `?verbose` and `?exclude=NAME`.

A process is alive when it answers; it is ready when its caches are synced, the storage answers and it is not about to stop.
Source: the Kubernetes page "Kubernetes API health endpoints".
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from apimachinery.errors import ApiError, no_such_path

Check = Callable[[], Awaitable[str | None]]
"""None when healthy, else the sentence that says what is wrong."""

PATHS = ("/healthz", "/livez", "/readyz")


class Health:
    """Answers for three endpoints. `checks`, by name, are those of /healthz and /readyz, `ready_checks` of /readyz alone."""

    def __init__(self, checks: Mapping[str, Check], ready_checks: Mapping[str, Check]) -> None:
        live: Mapping[str, Check] = {"ping": _ping}
        healthy = {**live, **checks}
        self._endpoints = {"livez": live, "healthz": healthy, "readyz": {**healthy, **ready_checks}}

    @staticmethod
    def serves(path: str) -> bool:
        return path.startswith(PATHS) and path.split("/", 2)[1] in ("healthz", "livez", "readyz")

    async def answer(self, path: str, *, verbose: bool, exclude: Sequence[str] = ()) -> tuple[int, str]:
        """HTTP status and text; raises ApiError (404) for a check that there is not."""
        endpoint, _, name = path.strip("/").partition("/")
        checks = self._endpoints[endpoint]
        if name:
            return await _one(checks, name)
        wanted = [each for each in checks if each not in exclude]
        problems = dict(zip(wanted, await asyncio.gather(*[checks[each]() for each in wanted]), strict=True))
        failed = any(problem is not None for problem in problems.values())
        if not failed and not verbose:
            return 200, "ok"
        lines = [_line(each, each in exclude, problems.get(each)) for each in checks]
        unknown = [each for each in exclude if each not in checks]
        if unknown:
            listed = ",".join(f'"{each}"' for each in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {listed}")
        lines.append(f"{endpoint} check {'failed' if failed else 'passed'}")
        return 500 if failed else 200, "\n".join(lines) + "\n"


async def _one(checks: Mapping[str, Check], name: str) -> tuple[int, str]:
    if name not in checks:
        raise _unknown()
    problem = await checks[name]()
    return (200, "ok") if problem is None else (500, f"internal server error: {problem}\n")


def _unknown() -> ApiError:
    return no_such_path()


def _line(name: str, excluded: bool, problem: str | None) -> str:
    if excluded:
        return f"[+]{name} excluded: ok"
    return f"[+]{name} ok" if problem is None else f"[-]{name} failed: {problem}"


async def _ping() -> str | None:
    return None
