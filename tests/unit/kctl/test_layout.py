"""How tables, descriptions and documents are laid out."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from apimachinery.printing import shape_for
from kctl.describe import DESCRIBERS, Surroundings, describer_for
from kctl.describe.core import title
from kctl.describe.pods import probe_text, toleration_text
from kctl.describe.text import align
from kctl.errors import KctlError
from kctl.printers import Output, columns, document_printer, names, output_of
from kctl.printers.table import TableOptions, Writer, lines, one_line, view, view_of_table

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def written(*blocks: list[list[str]]) -> str:
    sink = io.StringIO()
    writer = Writer(sink)
    for block in blocks:
        writer.write(block)
    return sink.getvalue()


def test_columns_are_aligned_without_trailing_spaces() -> None:
    assert written([["NAME", "AGE"], ["a-long-name", "5m"]]) == "NAME          AGE\na-long-name   5m\n"


def test_columns_have_a_minimum_width() -> None:
    assert written([["A", "B"]]) == "A     B\n"


def test_later_lines_keep_earlier_widths() -> None:
    assert written([["NAME", "AGE"], ["abcdefgh", "1s"]], [["x", "2s"]]).splitlines()[-1] == "x          2s"


def test_extra_columns() -> None:
    obj = {"metadata": {"name": "c", "namespace": "n", "labels": {"app.io/tier": "web"}}, "data": {}}
    options = TableOptions(with_namespace=True, with_kind=True, show_labels=True, label_columns=("app.io/tier", "none"))
    headers, rows = lines(view(shape_for("", "ConfigMap"), "", "ConfigMap", [obj], NOW), options)
    assert headers == ["NAMESPACE", "NAME", "DATA", "AGE", "TIER", "NONE", "LABELS"]
    assert rows == [["n", "configmap/c", "0", "<unknown>", "web", "", "app.io/tier=web"]]


def test_a_table_from_the_server() -> None:
    table = {
        "columnDefinitions": [
            {"name": "Name", "format": "name"},
            {"name": "Oars", "type": "integer"},
            {"name": "Far", "priority": 1},
        ],
        "rows": [{"cells": ["b", 4, "x"], "object": {"metadata": {"name": "b"}}}],
    }
    assert lines(view_of_table(table), TableOptions()) == (["NAME", "OARS"], [["b", "4"]])


@pytest.mark.parametrize(
    ("value", "text"), [(None, "<none>"), (True, "true"), (3, "3"), ("a\nb", "a..."), ("a\x1b[31m", "a\\x1b[31m"), ("é", "é")]
)
def test_cells_are_one_harmless_line(value: Any, text: str) -> None:
    assert one_line(value) == text


def test_elastic_tabs() -> None:
    text = align(["Name:\tx", "Long name:\ty", "Section:", "  A:\tb", "  Wide:\tc\td", "  E:\tf\tgg"])
    assert text == "Name:       x\nLong name:  y\nSection:\n  A:     b\n  Wide:  c  d\n  E:     f  gg\n"


def test_yaml_is_what_kubectl_writes() -> None:
    obj = {
        "b": ["x"],
        "a": {"yes": "yes", "five": "5", "time": "2026-01-01T00:00:00Z", "text": "one\ntwo\n", "none": "", "plain": "a b"},
    }
    assert document_printer(Output("yaml"))(obj) == (
        'a:\n  five: "5"\n  none: ""\n  plain: a b\n  text: |\n    one\n    two\n  time: "2026-01-01T00:00:00Z"\n'
        '  "yes": "yes"\nb:\n- x\n'
    )


def test_json_is_what_kubectl_writes() -> None:
    assert document_printer(Output("json"))({"b": 1, "a": []}) == '{\n    "a": [],\n    "b": 1\n}\n'


def test_managed_fields_are_left_out() -> None:
    obj = {"items": [{"metadata": {"name": "x", "managedFields": [1]}}]}
    assert "managedFields" not in document_printer(Output("json"))(obj)
    assert "managedFields" in document_printer(Output("json"), managed_fields=True)(obj)


def test_names() -> None:
    items = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "b"}},
    ]
    assert names({"items": items}) == "pod/a\ndeployment.apps/b\n"


def test_custom_columns() -> None:
    chosen = columns.parse('NAME:.metadata.name,IPS:{.ips[*]},NO:.x,F:.c[?(@.t=="a,b")].v')
    obj = {"metadata": {"name": "n"}, "ips": ["1", "2"], "c": [{"t": "a,b", "v": True}]}
    assert [column.header for column in chosen] == ["NAME", "IPS", "NO", "F"]
    assert columns.rows(chosen, [obj]) == [["n", "1,2", "<none>", "true"]]


@pytest.mark.parametrize("text", ["xml", "jsonpath", "jsonpath="])
def test_unknown_formats(text: str) -> None:
    with pytest.raises(KctlError):
        output_of(text)


def test_a_bad_template_is_an_error() -> None:
    with pytest.raises(KctlError, match="error parsing jsonpath"):
        document_printer(Output("jsonpath", "{.a"))


@pytest.mark.parametrize(("group", "kind"), [*DESCRIBERS, ("example.com", "Boat")], ids=str)
def test_every_describer_takes_an_empty_object(group: str, kind: str) -> None:
    text = describer_for(group, kind)({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}, Surroundings(NOW)).text()
    assert text.startswith("Name:")
    assert "\t" not in text


def test_a_secret_is_never_shown() -> None:
    page = describer_for("", "Secret")({"metadata": {"name": "x"}, "data": {"password": "aHVzaA=="}}, Surroundings(NOW))
    assert "4 bytes" in page.text()
    assert "hush" not in page.text()
    assert "aHVzaA" not in page.text()


def test_events_are_counted_and_in_order() -> None:
    def event(reason: str, last: str, count: int) -> dict[str, Any]:
        times = {"firstTimestamp": "2026-01-01T11:00:00Z", "lastTimestamp": last}
        return {"type": "Normal", "reason": reason, "message": "m", "count": count, "source": {"component": "kubelet"}, **times}

    events = [event("Second", "2026-01-01T11:59:00Z", 3), event("First", "2026-01-01T11:30:00Z", 1)]
    text = describer_for("", "ServiceAccount")({"metadata": {"name": "x"}}, Surroundings(NOW, events)).text()
    rows = text.splitlines()[-2:]
    assert rows[0].split() == ["Normal", "First", "60m", "kubelet", "m"]
    assert "60s (x3 over 60m)" in rows[1]


def test_small_texts() -> None:
    assert title("podCIDR") == "Pod CIDR"
    assert toleration_text({"operator": "Exists"}) == "op=Exists"
    assert (
        toleration_text({"key": "a", "value": "b", "effect": "NoSchedule", "tolerationSeconds": 5}) == "a=b:NoSchedule for 5s"
    )
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 2}
    assert probe_text(probe) == "http-get http://:80/ delay=0s timeout=1s period=2s #success=1 #failure=3"
