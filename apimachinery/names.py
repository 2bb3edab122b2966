"""Rules for names: each checker returns what is wrong with a name, as sentences; none means it is right.

Source: the Kubernetes page "Object Names and IDs"; RFC 1035, RFC 1123.
"""

import ipaddress
import re
from collections.abc import Callable, Sequence

NameRule = Callable[[str], Sequence[str]]

_DNS_1123_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_DNS_1035_LABEL = r"[a-z](?:[-a-z0-9]*[a-z0-9])?"
_LABEL = re.compile(_DNS_1123_LABEL)
_SUBDOMAIN = re.compile(rf"{_DNS_1123_LABEL}(?:\.{_DNS_1123_LABEL})*")
_WILDCARD = re.compile(rf"\*\.{_DNS_1123_LABEL}(?:\.{_DNS_1123_LABEL})*")
_LABEL_1035 = re.compile(_DNS_1035_LABEL)
_QUALIFIED = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_PORT_NAME = re.compile(r"[-a-z0-9]+")
_HTTP_HEADER = re.compile(r"[-A-Za-z0-9]+")
_HTTP_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")

LABEL_MAX = 63
SUBDOMAIN_MAX = 253


def dns_1123_label(name: str) -> list[str]:
    """Namespaces, containers, volumes: `web-1`."""
    problems = _length(name, LABEL_MAX)
    if not _LABEL.fullmatch(name):
        problems.append(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
            f"with an alphanumeric character (e.g. 'my-name', regex used for validation is '{_DNS_1123_LABEL}')"
        )
    return problems


def dns_1123_subdomain(name: str) -> list[str]:
    """Most objects: `web.example.com`."""
    problems = _length(name, SUBDOMAIN_MAX)
    if not _SUBDOMAIN.fullmatch(name):
        problems.append(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
            f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN.pattern}')"
        )
    return problems


def search_domain(name: str) -> list[str]:
    """DNS search domains: subdomains that may have underscores where letters may stand, and a dot at the end."""
    return [] if name == "." else dns_1123_subdomain(name.removesuffix(".").replace("_", "a"))


def wildcard_dns_1123_subdomain(name: str) -> list[str]:
    """Hosts that stand for all below them: `*.example.com`."""
    problems = _length(name, SUBDOMAIN_MAX)
    if not _WILDCARD.fullmatch(name):
        problems.append("a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain")
    return problems


def dns_1035_label(name: str) -> list[str]:
    """Services, whose names become host names: as a DNS-1123 label, beginning with a letter."""
    problems = _length(name, LABEL_MAX)
    if not _LABEL_1035.fullmatch(name):
        problems.append(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
            f"and end with an alphanumeric character (e.g. 'my-name', regex used for validation is '{_DNS_1035_LABEL}')"
        )
    return problems


def path_segment(name: str) -> list[str]:
    """What any name must satisfy to stand in a URL path."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in name]


def qualified_name(name: str) -> list[str]:
    """Keys of labels and annotations, resource names: `[prefix/]name`."""
    prefix, slash, local = name.rpartition("/")
    problems = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash:
        problems += [f"prefix part {problem}" for problem in dns_1123_subdomain(prefix)]
    if not local:
        problems.append("name part must be non-empty")
    problems += [f"name part {problem}" for problem in _length(local, LABEL_MAX)]
    if local and not _QUALIFIED.fullmatch(local):
        problems.append(
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
            "character (e.g. 'MyName', 'my.name' or '123-abc')"
        )
    return problems


def label_value(value: str) -> list[str]:
    """Values of labels: empty, or 63 characters at most between two alphanumerics."""
    problems = _length(value, LABEL_MAX)
    if value and not _QUALIFIED.fullmatch(value):
        problems.append(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
            "end with an alphanumeric character (e.g. 'MyValue', 'my_value' or '12345')"
        )
    return problems


def environment_name(name: str) -> list[str]:
    """Names of environment variables: any printable ASCII but `=`."""
    if name and all(" " <= character <= "~" and character != "=" for character in name):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def config_key(key: str) -> list[str]:
    """Keys of ConfigMaps and Secrets, which become file names."""
    problems = _length(key, SUBDOMAIN_MAX)
    if not _CONFIG_KEY.fullmatch(key):
        problems.append("a valid config key must consist of alphanumeric characters, '-', '_' or '.'")
    return problems + _no_dots(key)


def port_name(name: str) -> list[str]:
    """Names of ports (IANA service names): 15 characters, a letter among them."""
    problems = _length(name, 15)
    if not _PORT_NAME.fullmatch(name):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any("a" <= character <= "z" for character in name):
        problems.append("must contain at least one letter (a-z)")
    if "--" in name:
        problems.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def http_header_name(name: str) -> list[str]:
    if _HTTP_HEADER.fullmatch(name):
        return []
    return ["a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name')"]


def domain_prefixed_path(path: str) -> list[str]:
    """Names that carry their owner's domain: `example.com/name`."""
    prefix, slash, rest = path.partition("/")
    if not slash or not prefix or not rest:
        return ['must be a domain-prefixed path (such as "acme.io/foo")']
    problems = [f"prefix part {problem}" for problem in dns_1123_subdomain(prefix)]
    if not _HTTP_PATH.fullmatch(rest):
        problems.append('must be a domain-prefixed path (such as "acme.io/foo")')
    return problems


def ip_address(text: str) -> list[str]:
    """IPv4 in four decimal numbers without leading zeros, or IPv6 without a zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"] if "%" in text else []


def cidr(text: str) -> list[str]:
    """A network with its prefix length: `10.244.0.0/24`."""
    problem = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    address, slash, length = text.partition("/")
    plain_length = length.isascii() and length.isdigit() and (length == "0" or not length.startswith("0"))
    if not slash or not plain_length or ip_address(address):
        return [problem]
    return [] if int(length) <= ipaddress.ip_address(address).max_prefixlen else [problem]


def generated(rule: NameRule, prefix: str) -> Sequence[str]:
    """What is wrong with a generateName prefix: it may end as no name may, since five characters follow."""
    return rule(prefix.rstrip("-") + "-x" if prefix.endswith("-") else prefix + "x")


def _length(text: str, limit: int) -> list[str]:
    return [] if len(text) <= limit else [f"must be no more than {limit} bytes"]


def _no_dots(name: str) -> list[str]:
    if name in (".", ".."):
        return [f"must not be '{name}'"]
    return ["must not start with '..'"] if name.startswith("..") else []
