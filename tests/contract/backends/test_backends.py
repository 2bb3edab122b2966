"""What a caller of `apiserver.ports.Backends` may rely on."""

from __future__ import annotations

import asyncio

import pytest

from apiserver.core.backends import ANSWER_BYTES_MAX
from apiserver.ports import BackendError
from tests.contract.backends.conftest import Begin
from tests.support.https_server import Reply

TIMEOUT_S = 10.0


async def echo(path: str, body: bytes) -> Reply:
    return Reply(body=path.encode() + b" " + body)


async def test_a_service_is_asked_at_its_path(world: Begin) -> None:
    begun = await world(echo)
    assert await begun.backends.post(begun.service("/a/b"), b"{}", timeout_s=10) == b"/a/b?timeout=10s {}"
    assert await begun.backends.post(begun.service(""), b"{}", timeout_s=2.5) == b"/?timeout=2.5s {}"


async def test_a_url_is_asked_directly(world: Begin) -> None:
    begun = await world(echo)
    assert await begun.backends.post(begun.at(f"{begun.url}/x"), b"1", timeout_s=10) == b"/x?timeout=10s 1"


async def test_large_bodies_go_both_ways(world: Begin) -> None:
    begun = await world(echo)
    body = b"0123456789" * 300_000
    assert (await begun.backends.post(begun.service(), body, timeout_s=TIMEOUT_S)).endswith(b" " + body)


async def test_many_at_once(world: Begin) -> None:
    begun = await world(echo)
    posts = [begun.backends.post(begun.service(), b"%d" % number, timeout_s=TIMEOUT_S * 3) for number in range(100)]
    answers = await asyncio.gather(*posts)
    assert answers == [b"/validate?timeout=30s %d" % number for number in range(100)]
    assert begun.server is None or begun.server.made <= 32


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(status=500, body=b"no\nway"), "the server answered with status code 500"),
        (Reply(status=404), "the server answered with status code 404"),
        (Reply(status=201, body=b"{}"), "the server answered with status code 201"),
        (
            Reply(status=302, headers={"Location": "/validate"}),
            "the server answered with a redirect (302), which is not followed",
        ),
        (Reply(status=307, headers={"Location": "https://127.0.0.1/"}), "a redirect (307), which is not followed"),
        (Reply(body=b"x" * (ANSWER_BYTES_MAX + 1)), "the answer is larger than the limit of 16777216 bytes"),
    ],
    ids=["500", "404", "201", "302", "307", "too large"],
)
async def test_other_answers_do_not_count(world: Begin, reply: Reply, sentence: str) -> None:
    asked = 0

    async def refuse(path: str, body: bytes) -> Reply:
        nonlocal asked
        asked += 1
        return reply

    begun = await world(refuse)
    with pytest.raises(BackendError) as caught:
        await begun.backends.post(begun.service(), b"{}", timeout_s=TIMEOUT_S)
    assert str(caught.value).startswith('Post "https://hook.default.svc:443/validate?timeout=10s": ')
    assert sentence in str(caught.value)
    assert asked == 1


async def test_what_a_refusal_says_is_passed_on(world: Begin) -> None:
    async def refuse(path: str, body: bytes) -> Reply:
        return Reply(status=500, body=b"the database\n is away " + b"x" * 100_000)

    begun = await world(refuse)
    with pytest.raises(BackendError, match=r"500.*: the database is away x+$") as caught:
        await begun.backends.post(begun.service(), b"{}", timeout_s=TIMEOUT_S)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "absent"}, 'service "absent" not found'),
        ({"name": "empty"}, 'no endpoints available for service "empty"'),
        ({"bundle": None}, ""),
    ],
    ids=["no service", "no pods", "as it is"],
)
async def test_services_that_cannot_be_asked(world: Begin, change: dict[str, str | None], sentence: str) -> None:
    begun = await world(echo)
    backend = begun.service(**change)  # type: ignore[arg-type]
    if not sentence:
        assert await begun.backends.post(backend, b"{}", timeout_s=TIMEOUT_S)
        return
    with pytest.raises(BackendError) as caught:
        await begun.backends.post(backend, b"{}", timeout_s=TIMEOUT_S)
    assert str(caught.value) == f'Post "https://{backend.service}.default.svc:443/validate?timeout=10s": {sentence}'


async def test_a_certificate_by_somebody_else_is_refused(world: Begin) -> None:
    begun = await world(echo)
    with pytest.raises(BackendError, match=r"tls: failed to verify certificate: x509: "):
        await begun.backends.post(begun.service(bundle=begun.stranger), b"{}", timeout_s=TIMEOUT_S)
    with pytest.raises(BackendError, match=r"tls: failed to verify certificate: x509: "):
        await begun.backends.post(begun.service(bundle=b""), b"{}", timeout_s=TIMEOUT_S)


async def test_a_backend_that_is_slow_is_given_up_in_time(world: Begin) -> None:
    left = asyncio.Event()

    async def wait(path: str, body: bytes) -> Reply:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        raise AssertionError

    begun = await world(wait)
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(BackendError, match=r"validate\?timeout=0.2s\": context deadline exceeded$"):
        await begun.backends.post(begun.service(), b"{}", timeout_s=0.2)
    assert 0.19 <= loop.time() - started < 5


async def test_a_caller_that_goes_away_ends_the_call(world: Begin) -> None:
    begun_to_answer = asyncio.Event()

    async def wait(path: str, body: bytes) -> Reply:
        begun_to_answer.set()
        if body == b"wait":
            await asyncio.Event().wait()
        return Reply(body=b"ok")

    begun = await world(wait)
    call = asyncio.create_task(begun.backends.post(begun.service(), b"wait", timeout_s=TIMEOUT_S))
    await begun_to_answer.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await begun.backends.post(begun.service(), b"again", timeout_s=TIMEOUT_S) == b"ok"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://127.0.0.1/", "'https' is the only allowed URL scheme"),
        ("https://user:secret@127.0.0.1/", "user information is not permitted in the URL"),
        ("https://127.0.0.1/?x=1", "query parameters are not permitted in the URL"),
        ("https://127.0.0.1/#x", "fragments are not permitted in the URL"),
        ("https:///path", "host must be specified"),
    ],
    ids=["http", "user", "query", "fragment", "no host"],
)
async def test_urls_that_are_not_asked(world: Begin, url: str, sentence: str) -> None:
    begun = await world(echo)
    with pytest.raises(BackendError, match=sentence):
        await begun.backends.post(begun.at(url), b"{}", timeout_s=TIMEOUT_S)


async def test_nobody_listens(world: Begin) -> None:
    begun = await world(echo)
    with pytest.raises(BackendError, match=r"dial tcp.*connection refused"):
        await begun.backends.post(begun.at("https://127.0.0.1:1/x"), b"{}", timeout_s=TIMEOUT_S)
