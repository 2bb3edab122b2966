"""Rules for names."""

from dataclasses import dataclass

import pytest

from apimachinery import names
from apimachinery.names import NameRule


@dataclass(frozen=True)
class Row:
    rule: NameRule
    right: tuple[str, ...]
    wrong: tuple[str, ...]


ROWS = {
    "label": Row(names.dns_1123_label, ("a", "1", "a-b", "a" * 63), ("", "A", "a.b", "-a", "a-", "a" * 64, "a\n", "ä", "a_b")),
    "subdomain": Row(names.dns_1123_subdomain, ("a", "a.b", "1.2", "a-b.c"), ("", ".a", "a.", "a..b", "A", "a" * 254, "a\n")),
    "1035": Row(names.dns_1035_label, ("a", "a1-b"), ("1a", "", "a.b", "A", "a" * 64)),
    "qualified": Row(
        names.qualified_name, ("a", "A.b_c-d", "example.com/a"), ("", "/a", "a/", "a/b/c", "a" * 64, "EX.com/a", "-a", "a b")
    ),
    "label value": Row(names.label_value, ("", "a", "A.b"), ("-", "a" * 64, "a b", "a\n")),
    "environment": Row(names.environment_name, ("A", "a.b-c", "1x", "a b"), ("", "A=B", "ä", "a\n")),
    "config key": Row(names.config_key, ("a", ".a", "A_b-c.d"), ("", ".", "..", "..a", "a/b", "a" * 254)),
    "port name": Row(names.port_name, ("http", "a1", "1-a"), ("", "1", "a--b", "-a", "a-", "a" * 16, "A")),
    "path segment": Row(names.path_segment, ("a", "A b"), (".", "..", "a/b", "a%b")),
    "search domain": Row(names.search_domain, (".", "a.b.", "_a.b_c"), ("", "a b", "a..", "-a")),
    "wildcard": Row(names.wildcard_dns_1123_subdomain, ("*.a", "*.a.b"), ("a", "*", "*a.b", "")),
    "domain path": Row(names.domain_prefixed_path, ("a.io/x", "a/b/c"), ("a", "/x", "a/", "A/x", "a/b c")),
    "header": Row(names.http_header_name, ("X-A", "a1"), ("", "a b", "a:b")),
    "address": Row(
        names.ip_address,
        ("10.8.8.8", "::1", "2001:db8::1"),
        ("", "010.8.8.8", "10.8.8", "10.8.8.8/8", "fe80::1%eth0", "::ffff:010.0.0.1"),
    ),
    "network": Row(
        names.cidr, ("10.0.0.0/8", "10.1.2.3/32", "::/0"), ("", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/+8")
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_rules(name: str) -> None:
    row = ROWS[name]
    assert {text: list(row.rule(text)) for text in row.right if row.rule(text)} == {}
    assert [text for text in row.wrong if not row.rule(text)] == []


def test_prefixes_of_generated_names() -> None:
    assert not names.generated(names.dns_1123_subdomain, "web-")
    assert not names.generated(names.dns_1123_subdomain, "web")
    assert names.generated(names.dns_1123_subdomain, "Web-")
    assert names.generated(names.dns_1035_label, "1-")
