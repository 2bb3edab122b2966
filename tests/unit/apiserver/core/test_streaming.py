"""Stream protocols, proxy names and headers, and which verb a connect needs: each with its table."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimachinery import codec
from apimachinery.errors import ApiError
from apimachinery.kinds import Endpoints, Pod, Service
from apimachinery.kinds.meta import Status
from apimachinery.resources import NODES, PODS, SERVICES, TABLE
from apiserver.core import channels, proxying
from apiserver.core.channels import Messages
from apiserver.core.paths import parse_path, proxied_path
from apiserver.core.request import Request, User, Verb
from proto.gen import node_pb2

USER = User("somebody")


# Channels


def test_channels_of_a_process() -> None:
    v4, v5 = Messages(channels.V4), Messages(channels.V5)
    assert v4.to_input(b"\x00ls\n") == node_pb2.StreamInput(stdin=b"ls\n")
    size = v4.to_input(b'\x04{"Width":80,"Height":24}')
    assert size is not None
    assert (size.size.width, size.size.height) == (80, 24)
    assert v5.to_input(b"\xff\x00") == node_pb2.StreamInput(stdin_closed=True)
    for messages, nothing in ((v5, b""), (v4, b"\xff\x00"), (v5, b"\x04no"), (v5, b"\x00"), (v5, b"\xff\x01"), (v5, b"\x09x")):
        assert messages.to_input(nothing) is None
    assert v4.to_message(node_pb2.StreamOutput(stderr=b"x")) == b"\x02x"
    assert v4.to_message(node_pb2.StreamOutput(exit_code=0)) == b"\x03" + codec.encode(Status(status="Success"))
    failed = v4.to_message(node_pb2.StreamOutput(exit_code=3))
    assert isinstance(failed, bytes)
    assert json.loads(failed[1:])["details"]["causes"] == [{"message": "3", "reason": "ExitCode"}]
    assert v4.port_header(1, 8080) == (b"\x02\x90\x1f", b"\x03\x90\x1f")


def test_base64_variants_are_text() -> None:
    messages = Messages(channels.V4_BASE64)
    assert messages.pack(1, b"hi\n") == "1aGkK"
    assert messages.to_input("0bHMK") == node_pb2.StreamInput(stdin=b"ls\n")
    assert messages.unpack("0no base64") is None
    assert messages.port_header(0, 80) == ("0UAA=", "1UAA=")


def test_before_v4_an_end_is_a_sentence_and_a_success_is_nothing() -> None:
    for protocol in ("", channels.V1):
        messages = Messages(protocol)
        assert messages.to_message(node_pb2.StreamOutput(exit_code=0)) is None
        assert messages.to_message(node_pb2.StreamOutput(exit_code=2)) == (
            b"\x03command terminated with non-zero exit code: exit status 2"
        )


@given(st.sampled_from([*channels.EXECUTION_PROTOCOLS, ""]), st.one_of(st.binary(max_size=80), st.text(max_size=80)))
def test_any_message_is_input_or_nothing(protocol: str, message: bytes | str) -> None:
    Messages(protocol).to_input(message)


@given(st.sampled_from(channels.EXECUTION_PROTOCOLS), st.integers(0, 9), st.binary(max_size=100))
def test_messages_come_back_as_they_were_packed(protocol: str, channel: int, data: bytes) -> None:
    messages = Messages(protocol)
    assert messages.unpack(messages.pack(channel, data)) == (channel, data)


@pytest.mark.parametrize(
    ("offered", "found"),
    [
        ([channels.V5, channels.V4], channels.V4),
        (["v5.channel.k8s.io, v4.channel.k8s.io , channel.k8s.io"], channels.V4),
        (["channel.k8s.io"], channels.V1),
        (["v9"], None),
        ([], None),
    ],
)
def test_the_first_protocol_that_both_speak(offered: list[str], found: str | None) -> None:
    assert channels.chosen(offered, channels.SPDY_EXECUTION_PROTOCOLS) == found


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 65535)), max_size=5), st.integers(1, 20), st.booleans())
def test_sizes_arrive_in_any_pieces(sizes: list[tuple[int, int]], step: int, lines: bool) -> None:
    text = ("\n" if lines else "").join(f'{{"Width":{width},"Height":{height}}}' for width, height in sizes).encode()
    reader = channels.Sizes()
    found = [each for start in range(0, len(text), step) for each in reader.feed(text[start : start + step])]
    assert [(each.size.width, each.size.height) for each in found] == sizes


@pytest.mark.parametrize("data", [b"[" * 5000, b'{"Width":', b"\xff\xfe" * 3000, b'"x"' * 400, b"no"])
def test_hostile_sizes_hold_nothing(data: bytes) -> None:
    reader = channels.Sizes()
    for _ in range(50):
        assert reader.feed(data) == []
    assert len(reader._text) <= channels.SIZE_BYTES_MAX + len(data)


# Verbs and paths


@pytest.mark.parametrize(
    ("subresource", "method", "verb"),
    [
        ("exec", "GET", "create"),
        ("exec", "POST", "create"),
        ("attach", "GET", "create"),
        ("portforward", "GET", "create"),
        ("log", "GET", "get"),
        ("proxy", "GET", "get"),
        ("proxy", "HEAD", "get"),
        ("proxy", "POST", "create"),
        ("proxy", "PUT", "update"),
        ("proxy", "PATCH", "patch"),
        ("proxy", "DELETE", "delete"),
    ],
)
def test_the_verb_that_a_connect_needs(subresource: str, method: str, verb: str) -> None:
    request = Request(verb=Verb.CONNECT, resource=PODS, user=USER, subresource=subresource, method=method)
    assert request.needed_verb == verb


@pytest.mark.parametrize(
    ("path", "resource", "name", "rest"),
    [
        ("/api/v1/namespaces/d/pods/p/proxy", PODS, "p", ""),
        ("/api/v1/namespaces/d/pods/p/proxy/", PODS, "p", "/"),
        ("/api/v1/namespaces/d/pods/https:p:8443/proxy/a//b/%2F?", PODS, "https:p:8443", "/a//b/%2F?"),
        ("/api/v1/namespaces/d/services/s:http/proxy/proxy/exec", SERVICES, "s:http", "/proxy/exec"),
        ("/api/v1/nodes/n:10250/proxy/metrics", NODES, "n:10250", "/metrics"),
    ],
)
def test_proxy_paths(path: str, resource: object, name: str, rest: str) -> None:
    from urllib.parse import unquote

    target = parse_path(TABLE, unquote(path))
    assert target is not None
    assert (target.resource, target.name, target.subresource) == (resource, name, "proxy")
    assert proxied_path(unquote(path), path) == rest


@pytest.mark.parametrize(
    "raw",
    [
        "/api/v1/namespaces/d/pods/p%2Fproxy/x",
        "/api/v1/namespaces/d%2Fpods/p/proxy/x",
        "/api/v1/namespaces/d/pods/p/proxy%2Fx",
    ],
)
def test_escapes_do_not_move_what_is_authorized(raw: str) -> None:
    from urllib.parse import unquote

    assert proxied_path(unquote(raw), raw) is None


@pytest.mark.parametrize("path", ["/api/v1/namespaces/d/secrets/s/proxy/x", "/apis/apps/v1/namespaces/d/deployments/x/proxy"])
def test_nothing_else_is_proxied(path: str) -> None:
    assert parse_path(TABLE, path) is None


# Proxying


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("p", proxying.Subject(False, "p", "")),
        ("p:80", proxying.Subject(False, "p", "80")),
        ("http:p:80", proxying.Subject(False, "p", "80")),
        ("https:p:", proxying.Subject(True, "p", "")),
        (":p:web", proxying.Subject(False, "p", "web")),
    ],
)
def test_subjects(text: str, want: proxying.Subject) -> None:
    assert proxying.parse_subject("pod", text) == want


@pytest.mark.parametrize("text", ["", ":80", "ftp:p:80", "a:b:c:d", "http::80"])
def test_bad_subjects(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        proxying.parse_subject("pod", text)
    assert caught.value.code == 400


def test_ports_of_pods() -> None:
    pod = codec.decode(
        Pod,
        b'{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","ports":[{"containerPort":8080,"name":"web"},'
        b'{"containerPort":9090,"name":"metrics"}]}]}}',
    )
    for text, port in (("p", 8080), ("p:metrics", 9090), ("p:1234", 1234)):
        assert proxying.pod_port(pod, proxying.parse_subject("pod", text)) == port
    bare = codec.decode(Pod, b'{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c"}]}}')
    assert proxying.pod_port(bare, proxying.Subject(False, "p", "")) == 80
    assert proxying.pod_port(bare, proxying.Subject(True, "p", "")) == 443
    for text in ("p:0", "p:65536", "p:none", "p:-1"):
        with pytest.raises(ApiError):
            proxying.pod_port(bare, proxying.parse_subject("pod", text))


def test_backends_of_services() -> None:
    service = codec.decode(
        Service, b'{"metadata":{"name":"s"},"spec":{"ports":[{"name":"web","port":80},{"name":"x","port":81}]}}'
    )
    endpoints = codec.decode(
        Endpoints,
        b'{"metadata":{"name":"s"},"subsets":[{"addresses":[{"ip":"10.0.0.1","targetRef":{"kind":"Pod","name":"p","uid":"u"}},'
        b'{"ip":"10.0.0.9"}],"notReadyAddresses":[{"ip":"10.0.0.2","targetRef":{"kind":"Pod","name":"q"}}],'
        b'"ports":[{"name":"web","port":8080}]}]}',
    )
    want = [proxying.Backend("p", "u", 8080)]
    for text in ("s:web", "s:80", "https:s:web"):
        assert proxying.backends(service, endpoints, proxying.parse_subject("service", text)) == want
    for text, says in (("s", "no endpoints"), ("s:82", "no service port 82"), ("s:81", "no endpoints")):
        with pytest.raises(ApiError, match=says) as caught:
            proxying.backends(service, endpoints, proxying.parse_subject("service", text))
        assert caught.value.code == 503
    with pytest.raises(ApiError, match="no endpoints"):
        proxying.backends(service, None, proxying.Subject(False, "s", "web"))


def test_headers_that_go_on() -> None:
    given = [
        ("Host", "api:6443"),
        ("Connection", "keep-alive, X-Secret"),
        ("X-Secret", "1"),
        ("Authorization", "Bearer t"),
        ("Sec-WebSocket-Protocol", "base64url.bearer.authorization.k8s.io.dA"),
        ("Sec-WebSocket-Protocol", "base64url.bearer.authorization.k8s.io.dA, chat,binary"),
        ("Impersonate-User", "root"),
        ("X-Remote-User", "root"),
        ("Upgrade", "websocket"),
        ("Transfer-Encoding", "chunked"),
        ("Cookie", "a=b"),
        ("X-Forwarded-For", "10.0.0.1"),
    ]
    found = proxying.forwarded_headers(given, upgrade=False, client="10.0.0.2", path="/api/x", host="api:6443")
    assert found == [
        ("Host", "api:6443"),
        ("Cookie", "a=b"),
        ("Sec-WebSocket-Protocol", "chat, binary"),
        ("X-Forwarded-For", "10.0.0.1, 10.0.0.2"),
        ("X-Forwarded-Uri", "/api/x"),
        ("X-Forwarded-Host", "api:6443"),
        ("X-Forwarded-Proto", "https"),
    ]
    upgraded = proxying.forwarded_headers(
        [("Connection", "Upgrade"), ("Upgrade", "websocket")], upgrade=True, client="c", path="/", host="h"
    )
    assert upgraded[:2] == [("Connection", "Upgrade"), ("Upgrade", "websocket")]


@pytest.mark.parametrize(
    ("location", "want"),
    [
        ("/login?next=1#x", "/pre/proxy/login?next=1#x"),
        ("http://p:80/login", "https://api:6443/pre/proxy/login"),
        ("https://api:6443/x/", "https://api:6443/pre/proxy/x/"),
        ("http://elsewhere/x", "http://elsewhere/x"),
        ("relative", "relative"),
        ("/pre/proxy/x", "/pre/proxy/x"),
        ("/pre/proxyish", "/pre/proxy/pre/proxyish"),
        ("http://[bad", "http://[bad"),
    ],
)
def test_redirects_lead_through_the_proxy(location: str, want: str) -> None:
    found = proxying.rewritten_location(location, prefix="/pre/proxy", own_host="api:6443", backend_hosts=("p:80", "p"))
    assert found == want


@pytest.mark.parametrize(
    ("protocols", "token", "others"),
    [
        ("", "", ""),
        ("v4.channel.k8s.io", "", "v4.channel.k8s.io"),
        ("base64url.bearer.authorization.k8s.io.YS5iLmM, v4.channel.k8s.io", "a.b.c", "v4.channel.k8s.io"),
        ("v4.channel.k8s.io,base64url.bearer.authorization.k8s.io.YS5iLmM", "a.b.c", "v4.channel.k8s.io"),
        ("base64url.bearer.authorization.k8s.io.YS5iLmM", "a.b.c", ""),
        ("base64url.bearer.authorization.k8s.io._w", "_w", ""),
        ("base64url.bearer.authorization.k8s.io.", "", ""),
    ],
)
def test_a_token_among_protocols(protocols: str, token: str, others: str) -> None:
    assert (channels.bearer_of(protocols), channels.without_bearer(protocols)) == (token, others)
