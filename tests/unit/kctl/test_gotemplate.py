"""Go templates: what each part of the language writes. The rows were compared with what kubectl 1.20 writes."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import gotemplate

DATA: dict[str, Any] = {
    "name": "web",
    "count": 3,
    "half": 0.5,
    "on": True,
    "none": None,
    "empty": "",
    "labels": {"b": "2", "a": "1"},
    "list": ["x", "y", "z"],
    "rows": [{"name": "one", "n": 1}, {"name": "two", "n": 2}],
    "secret": "aGVsbG8=",
}
ROWS = (
    ("plain text", "plain text"),
    ("{{.name}}", "web"),
    ('{{if eq .count 3}}three{{end}}{{printf "%d" .half}}', "three%!d(float64=0.5)"),
    ("{{ .name }}-{{.count}}-{{.half}}-{{.on}}", "web-3-0.5-true"),
    ("{{.missing}} {{.none}}", "<no value> <no value>"),
    ('{{print .missing}} {{printf "%v %d" .missing .missing}}', "<nil> <nil> %!d(<nil>)"),
    ("{{.labels}} {{.list}}", "map[a:1 b:2] [x y z]"),
    ("{{.labels.a}}{{$.labels.b}}", "12"),
    ('{{range .rows}}{{.name}}={{.n}}{{"\\n"}}{{end}}', "one=1\ntwo=2\n"),
    ("{{range $i, $e := .list}}{{$i}}{{$e}} {{end}}", "0x 1y 2z "),
    ("{{range $key, $value := .labels}}{{$key}}{{$value}}{{end}}", "a1b2"),
    ("{{range .missing}}x{{else}}nothing{{end}}", "nothing"),
    ("{{range $e := .list}}{{$e}}{{end}}", "xyz"),
    ("{{if .on}}yes{{else}}no{{end}}{{if .empty}}yes{{else}}no{{end}}", "yesno"),
    ("{{if .missing}}a{{else if .name}}b{{else}}c{{end}}", "b"),
    ("{{with .labels}}{{.a}}{{end}}{{with .missing}}x{{else}}{{.name}}{{end}}", "1web"),
    ('{{$x := .name}}{{$x}}{{$x = "other"}}{{$x}}', "webother"),
    ("{{range .list}}{{$.name}}{{.}} {{end}}", "webx weby webz "),
    ("a  {{- .name -}}  b", "awebb"),
    ("a{{/* a comment */}}b", "ab"),
    ('{{len .list}}{{len "äb"}}', "33"),
    ('{{index .list 1}}{{index .labels "a"}}', "y1"),
    ('{{if eq .name "web" "api"}}1{{end}}{{if ne .name "x"}}2{{end}}{{if gt (len .list) 2}}3{{end}}', "123"),
    ("{{if and .on .name}}a{{end}}{{if or .empty .name}}b{{end}}{{if not .empty}}c{{end}}", "abc"),
    ("{{and .name .empty}}|{{or .empty .name}}", "|web"),
    ('{{printf "%s:%v %5s|%-5s| %q %t" .name .count "a" "b" "c\\"" .on}}', 'web:3     a|b    | "c\\"" true'),
    ('{{printf "%d" 7}} {{printf "%d" .count}} {{printf "%.2f" .half}} {{printf "%03d" 7}}', "7 3 0.50 007"),
    ('{{.name | printf "%s-%s" "a"}}', "a-web"),
    ('{{print 1 2 "a" "b" 3}} {{println .name 1}}', "1 2ab3 web 1\n"),
    ("{{.secret | base64decode}}", "hello"),
    ('{{exists . "labels" "a"}} {{exists . "labels" "no"}}', "true false"),
    ('{{html "<a>"}} {{urlquery "a b&c"}}', "&lt;a&gt; a+b%26c"),
    ('{{define "part"}}[{{.}}]{{end}}{{template "part" .name}}', "[web]"),
    ("{{(index .rows 0).name}}{{slice .name 1}}", "oneeb"),
    ('{{`raw "text"`}}{{"tab\\t"}}', 'raw "text"tab\t'),
)


@pytest.mark.parametrize(("template", "wanted"), ROWS, ids=[row[0] for row in ROWS])
def test_rendering(template: str, wanted: str) -> None:
    assert gotemplate.parse(template).render(DATA) == wanted


@pytest.mark.parametrize(
    "template",
    [
        "{{", "{{end}}", "{{if .a}}", "{{nothing .a}}", "{{else}}", "{{}}", "{{.a b}}", "{{(.a}}", "{{.a)}}", '{{"open}}',
        "{{$x}}", "{{if}}{{end}}", "{{.name.first}}", "{{.missing.deep}}", "{{index .list 9}}", "{{range .name}}{{end}}",
        "{{len .count}}", "{{lt .name 1}}", "{{template \"no\"}}", '{{define "a"}}{{template "a"}}{{end}}{{template "a"}}',
        "{{break}}",
        "{{if .on}}" * 200 + "{{end}}" * 200, "{{base64decode .name}}x{{base64decode \"%\"}}", "{{eq .name .count}}",
    ],
)  # fmt: skip
def test_what_is_no_template(template: str) -> None:
    with pytest.raises(gotemplate.TemplateError):
        gotemplate.parse(template).render(DATA)
