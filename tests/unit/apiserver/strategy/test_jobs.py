"""Jobs and CronJobs: defaults, the selector that is made, rules, what an update may change, what a status may say."""

from typing import Any

import pytest

from apimachinery import codec
from apimachinery.resources import CRON_JOBS, JOBS
from tests.support.strategies import (
    ABSENT,
    DUPLICATE,
    INVALID,
    REQUIRED,
    TOO_LONG,
    TOO_MANY,
    UNSUPPORTED,
    Row,
    changed,
    check,
    check_defaults_are_stable,
    created,
    errors_on_create,
    errors_on_update,
    stored,
    updated,
    wrong,
)

Plain = dict[str, Any]
T = "spec.template"
POD: Plain = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1"}]}}
PLAIN: Plain = {"metadata": {"name": "pi", "namespace": "default", "uid": "u"}, "spec": {"template": POD}}
OWN = {
    "batch.kubernetes.io/controller-uid": "u",
    "batch.kubernetes.io/job-name": "pi",
    "controller-uid": "u",
    "job-name": "pi",
}
INDEXED = {"spec.completionMode": "Indexed", "spec.completions": 5}
F = "spec.podFailurePolicy"
S = "spec.successPolicy"


def rule(**members: Any) -> dict[str, Any]:
    return {F: {"rules": [{"action": "Ignore", **members}]}}


def success(**members: Any) -> dict[str, Any]:
    return {**INDEXED, S: {"rules": [members]}}


ROWS = (
    Row("right", {}),
    Row("no end to it", {f"{T}.spec.restartPolicy": "Always"}, [wrong(f"{T}.spec.restartPolicy", REQUIRED, '"OnFailure", ')]),
    Row("no policy", {f"{T}.spec.restartPolicy": ABSENT}, [wrong(f"{T}.spec.restartPolicy", REQUIRED)]),
    Row("again on failure", {f"{T}.spec.restartPolicy": "OnFailure"}),
    Row("no image", {f"{T}.spec.containers[0].image": ""}, [wrong(f"{T}.spec.containers[0].image", REQUIRED)]),
    Row(
        "counts",
        {f"spec.{name}": -1 for name in ("parallelism", "completions", "activeDeadlineSeconds", "ttlSecondsAfterFinished")},
        [
            wrong(f"spec.{name}", INVALID, "greater than or equal to 0")
            for name in ("parallelism", "completions", "activeDeadlineSeconds", "ttlSecondsAfterFinished")
        ],
    ),
    Row("retries", {"spec.backoffLimit": -1}, [wrong("spec.backoffLimit", INVALID)]),
    Row("mode", {"spec.completionMode": "Some"}, [wrong("spec.completionMode", UNSUPPORTED, '"Indexed", "NonIndexed"')]),
    Row("indexed", INDEXED),
    Row(
        "indexed without end", {"spec.completionMode": "Indexed", "spec.parallelism": 2}, [wrong("spec.completions", REQUIRED)]
    ),
    Row(
        "indexed, very parallel",
        {**INDEXED, "spec.parallelism": 100_001},
        [wrong("spec.parallelism", INVALID, "less than or equal to 100000")],
    ),
    Row(
        "indexed, with a name too long for hosts",
        {**INDEXED, "metadata.name": "a" * 62},
        [wrong("metadata.name", INVALID, "invalid DNS label")],
    ),
    Row(
        "failed indexes of what has none",
        {"spec.backoffLimitPerIndex": 1, "spec.maxFailedIndexes": 1},
        [
            wrong("spec.backoffLimitPerIndex", INVALID, "requires indexed completion mode"),
            wrong("spec.maxFailedIndexes", INVALID, "requires indexed completion mode"),
        ],
    ),
    Row("failed indexes", {**INDEXED, "spec.backoffLimitPerIndex": 1, "spec.maxFailedIndexes": 2}),
    Row(
        "failed indexes without a limit for each",
        {**INDEXED, "spec.maxFailedIndexes": 2},
        [wrong("spec.backoffLimitPerIndex", REQUIRED)],
    ),
    Row(
        "more failed indexes than there are",
        {**INDEXED, "spec.backoffLimitPerIndex": 1, "spec.maxFailedIndexes": 6},
        [wrong("spec.maxFailedIndexes", INVALID, "less than or equal to completions")],
    ),
    Row(
        "very many indexes",
        {**INDEXED, "spec.completions": 100_001, "spec.backoffLimitPerIndex": 1, "spec.parallelism": 10_001},
        [wrong("spec.maxFailedIndexes", REQUIRED), wrong("spec.parallelism", INVALID, "10000")],
    ),
    Row("managed by another", {"spec.managedBy": "example.com/manager"}),
    Row("managed by nobody", {"spec.managedBy": "manager"}, [wrong("spec.managedBy", INVALID, "domain-prefixed")]),
    Row("long manager", {"spec.managedBy": "example.com/" + "m" * 60}, [wrong("spec.managedBy", TOO_LONG)]),
    Row("replacement", {"spec.podReplacementPolicy": "Never"}, [wrong("spec.podReplacementPolicy", UNSUPPORTED)]),
    Row("own labels", {f"{T}.metadata.labels": {"job-name": "pi"}}),
    Row(
        "labels of another",
        {f"{T}.metadata.labels": {"job-name": "e"}},
        [wrong(f"{T}.metadata.labels[job-name]", INVALID, "must be 'pi'")],
    ),
    Row(
        "a selector of its own, unasked for",
        {"spec.selector": {"matchLabels": {"a": "b"}}, f"{T}.metadata.labels": {"a": "b"}},
        [wrong("spec.selector", INVALID, "`selector` not auto-generated")],
    ),
    Row(
        "a selector of its own",
        {"spec.manualSelector": True, "spec.selector": {"matchLabels": {"a": "b"}}, f"{T}.metadata.labels": {"a": "b"}},
    ),
    Row("no selector", {"spec.manualSelector": True}, [wrong("spec.selector", REQUIRED)]),
    Row(
        "a selector of others",
        {"spec.manualSelector": True, "spec.selector": {"matchLabels": {"a": "b"}}},
        [wrong(f"{T}.metadata.labels", INVALID, "`selector` does not match template `labels`")],
    ),
    Row("no uid", {"metadata.uid": ABSENT}, [wrong("metadata.uid", REQUIRED)]),
    Row("exit codes", rule(onExitCodes={"operator": "In", "values": [1, 42], "containerName": "c"})),
    Row("conditions", rule(onPodConditions=[{"type": "DisruptionTarget"}])),
    Row("rule of nothing", rule(), [wrong(f"{F}.rules[0]", INVALID, "one of OnExitCodes and OnPodConditions is required")]),
    Row(
        "rule of both",
        rule(onPodConditions=[{"type": "A"}], onExitCodes={"operator": "NotIn", "values": [0]}),
        [wrong(f"{F}.rules[0]", INVALID, "both OnExitCodes and OnPodConditions")],
    ),
    Row(
        "wrong exit codes",
        rule(action="Stop", onExitCodes={"operator": "In", "values": [3, 0, 3], "containerName": "d"}),
        [
            wrong(f"{F}.rules[0].action", UNSUPPORTED, '"Count", "FailIndex", "FailJob", "Ignore"'),
            wrong(f"{F}.rules[0].onExitCodes.containerName", INVALID, "container or initContainer names"),
            wrong(f"{F}.rules[0].onExitCodes.values[1]", INVALID, "must not be 0 for the In operator"),
            wrong(f"{F}.rules[0].onExitCodes.values[2]", DUPLICATE),
            wrong(f"{F}.rules[0].onExitCodes.values", INVALID, "must be ordered"),
        ],
    ),
    Row(
        "no exit codes",
        rule(onExitCodes={"operator": "Has"}),
        [
            wrong(f"{F}.rules[0].onExitCodes.operator", UNSUPPORTED),
            wrong(f"{F}.rules[0].onExitCodes.values", INVALID, "at least one value"),
        ],
    ),
    Row(
        "wrong conditions",
        rule(onPodConditions=[{"type": "a b", "status": "Maybe"}]),
        [
            wrong(f"{F}.rules[0].onPodConditions[0].type", INVALID),
            wrong(f"{F}.rules[0].onPodConditions[0].status", UNSUPPORTED),
        ],
    ),
    Row(
        "an index that fails, of what has none",
        rule(action="FailIndex", onPodConditions=[{"type": "A"}]),
        [wrong(f"{F}.rules[0].action", INVALID, "backoffLimitPerIndex")],
    ),
    Row(
        "many rules",
        {F: {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "A"}]}] * 21}},
        [wrong(f"{F}.rules", TOO_MANY)],
    ),
    Row(
        "failure policy and restarts",
        {**rule(onPodConditions=[{"type": "A"}]), f"{T}.spec.restartPolicy": "OnFailure"},
        [wrong(f"{T}.spec.restartPolicy", INVALID, 'only "Never"')],
    ),
    Row(
        "failure policy and early replacement",
        {**rule(onPodConditions=[{"type": "A"}]), "spec.podReplacementPolicy": "TerminatingOrFailed"},
        [wrong("spec.podReplacementPolicy", UNSUPPORTED, 'supported values: "Failed"')],
    ),
    Row("success by count", success(succeededCount=2)),
    Row("success by indexes", success(succeededIndexes="0-2,4", succeededCount=3)),
    Row("success of nothing", success(), [wrong(f"{S}.rules[0]", REQUIRED)]),
    Row("no rules of success", {**INDEXED, S: {"rules": []}}, [wrong(f"{S}.rules", REQUIRED)]),
    Row("success without indexes", {S: {"rules": []}}, [wrong(S, INVALID, "requires indexed completion mode")]),
    Row(
        "wrong indexes",
        success(succeededIndexes="3-2", succeededCount=6),
        [wrong(f"{S}.rules[0].succeededIndexes", INVALID), wrong(f"{S}.rules[0].succeededCount", INVALID, "completions")],
    ),
    Row(
        "more than the indexes",
        success(succeededIndexes="0-1", succeededCount=3),
        [wrong(f"{S}.rules[0].succeededCount", INVALID, "number of indexes")],
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_create(row: Row) -> None:
    plain = changed(PLAIN, row.changes)
    check(errors_on_create(JOBS, plain), row.wrong)
    check_defaults_are_stable(JOBS, plain)


def test_defaults() -> None:
    plain = codec.to_plain(created(JOBS, PLAIN))
    spec = plain["spec"]
    assert {key: value for key, value in spec.items() if key != "template"} == {
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "completions": 1,
        "manualSelector": False,
        "parallelism": 1,
        "podReplacementPolicy": "TerminatingOrFailed",
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}},
        "suspend": False,
    }
    assert spec["template"]["metadata"]["labels"] == OWN
    assert plain["metadata"]["labels"] == OWN


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({"spec.parallelism": 3}, {"parallelism": 3, "completions": None}),
        ({"spec.completions": 3}, {"parallelism": 1, "completions": 3}),
        ({**INDEXED, "spec.backoffLimitPerIndex": 1}, {"backoff_limit": (1 << 31) - 1}),
        (rule(onPodConditions=[{"type": "A"}]), {"pod_replacement_policy": "Failed"}),
    ],
)
def test_defaults_that_depend(changes: Plain, want: Plain) -> None:
    spec = created(JOBS, changed(PLAIN, changes)).spec
    assert {name: getattr(spec, name) for name in want} == want


def test_a_job_takes_the_labels_of_its_template() -> None:
    obj = created(JOBS, changed(PLAIN, {f"{T}.metadata.labels": {"a": "b"}}))
    assert obj.metadata.labels == {"a": "b"}
    assert obj.spec.template.metadata.labels == {"a": "b", **OWN}


SUSPENDED = {"spec.suspend": True}
AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]
        }
    }
}
UPDATES = (
    Row("more at once", {"spec.parallelism": 3, "spec.suspend": True, "spec.ttlSecondsAfterFinished": 1}),
    Row("completions", {"spec.completions": 3}, [wrong("spec.completions", INVALID, "field is immutable")]),
    Row("completions and parallelism of indexes", {"spec.completions": 7, "spec.parallelism": 7}, base=INDEXED),
    Row("completions of indexes", {"spec.completions": 7}, [wrong("spec.completions", INVALID, "tandem")], base=INDEXED),
    Row("image", {f"{T}.spec.containers[0].image": "x"}, [wrong("spec.template", INVALID, "field is immutable")]),
    Row("node, too late", {f"{T}.spec.nodeSelector": {"a": "b"}}, [wrong("spec.template", INVALID)]),
    Row(
        "node, in time",
        {f"{T}.spec.nodeSelector": {"a": "b"}, f"{T}.spec.affinity": AFFINITY, f"{T}.metadata.labels.a": "b"},
        base=SUSPENDED,
    ),
    Row("resources, in time", {f"{T}.spec.containers[0].resources": {"requests": {"cpu": "1"}}}, base=SUSPENDED),
    Row("image, in time", {f"{T}.spec.containers[0].image": "x"}, [wrong("spec.template", INVALID)], base=SUSPENDED),
    Row(
        "node, suspended while it runs",
        {f"{T}.spec.nodeSelector": {"a": "b"}},
        [wrong("spec.template", INVALID)],
        base={**SUSPENDED, "status": {"startTime": "2026-01-31T12:00:00Z"}},
    ),
    Row(
        "selector",
        {"spec.selector.matchLabels": {"job-name": "pi"}},
        [wrong("spec.selector", INVALID, "field is immutable")],
    ),
    Row("manager", {"spec.managedBy": "example.com/m"}, [wrong("spec.managedBy", INVALID, "field is immutable")]),
    Row("mode", INDEXED, [wrong("spec.completionMode", INVALID), wrong("spec.completions", INVALID)]),
)


@pytest.mark.parametrize("row", UPDATES, ids=lambda row: row.id)
def test_update(row: Row) -> None:
    check(errors_on_update(JOBS, PLAIN, row), row.wrong)


def test_the_generation_counts_changes_of_the_specification() -> None:
    old = stored(JOBS, PLAIN)
    plain = codec.to_plain(old)
    assert updated(JOBS, old, changed(plain, {"spec.parallelism": 2}))[0].metadata.generation == 2
    assert updated(JOBS, old, changed(plain, {"status.active": 1, "spec.parallelism": 2}), "status")[0].metadata.generation == 1


BEGUN, ENDED = "2026-01-31T12:00:00Z", "2026-01-31T12:01:00Z"


def true(*kinds: str) -> list[Plain]:
    return [{"type": kind, "status": "True"} for kind in kinds]


COMPLETE: Plain = {
    "startTime": BEGUN,
    "completionTime": ENDED,
    "succeeded": 1,
    "conditions": true("SuccessCriteriaMet", "Complete"),
}
FAILED: Plain = {"startTime": BEGUN, "failed": 7, "conditions": true("FailureTarget", "Failed")}
STATUS = (
    Row("running", {"status": {"startTime": BEGUN, "active": 2, "ready": 1, "terminating": 1}}),
    Row("complete", {"status": COMPLETE}),
    Row("failed", {"status": FAILED}),
    Row(
        "negative",
        {"status": {"active": -1, "failed": -1}},
        [wrong("status.active", INVALID), wrong("status.failed", INVALID)],
    ),
    Row("more ready than active", {"status": {"active": 1, "ready": 2}}, [wrong("status.ready", INVALID)]),
    Row(
        "counted twice",
        {"status.uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}},
        [
            wrong("status.uncountedTerminatedPods.succeeded[1]", INVALID),
            wrong("status.uncountedTerminatedPods.failed[0]", DUPLICATE),
        ],
    ),
    Row(
        "complete without warning",
        {"status": {**COMPLETE, "conditions": true("Complete")}},
        [wrong("status.conditions", INVALID, "without the SuccessCriteriaMet=true")],
    ),
    Row(
        "both",
        {"status": {**COMPLETE, "conditions": true("SuccessCriteriaMet", "Complete", "Failed", "FailureTarget")}},
        [wrong("status.conditions", INVALID)] * 4,
    ),
    Row(
        "complete, without times, active",
        {"status": {"active": 1, "conditions": COMPLETE["conditions"]}},
        [
            wrong("status.completionTime", REQUIRED),
            wrong("status.startTime", REQUIRED),
            wrong("status.active", INVALID, "active>0 is invalid for finished job"),
        ],
    ),
    Row(
        "done before it began",
        {"status": {**COMPLETE, "startTime": ENDED, "completionTime": BEGUN}},
        [wrong("status.completionTime", INVALID, "equal to or after")],
    ),
    Row(
        "completion of what runs",
        {"status": {"startTime": BEGUN, "completionTime": ENDED}},
        [wrong("status.completionTime", INVALID, "no Complete=True condition")],
    ),
    Row(
        "complete no more",
        {"status": {"startTime": BEGUN}},
        [wrong("status.conditions", INVALID, "cannot disable")] * 2 + [wrong("status.completionTime", INVALID, "immutable")],
        base={"status": COMPLETE},
    ),
    Row("begun anew", {"status": {"startTime": ENDED}}, [wrong("status.startTime", INVALID)], base={"status.startTime": BEGUN}),
    Row("never begun", {"status": {}}, [wrong("status.startTime", REQUIRED)], base={"status.startTime": BEGUN}),
    Row("never begun, suspended", {"status": {}}, base={"status.startTime": BEGUN, **SUSPENDED}),
    Row("indexes of what has none", {"status.completedIndexes": "0"}, [wrong("status.completedIndexes", INVALID)]),
    Row("indexes", {"status.completedIndexes": "0,2-4"}, base=INDEXED),
    Row("indexes beyond", {"status.completedIndexes": "5"}, [wrong("status.completedIndexes", INVALID)], base=INDEXED),
    Row(
        "indexes of both kinds",
        {"status": {"completedIndexes": "0,2-4", "failedIndexes": "3"}},
        [wrong("status.failedIndexes", INVALID, "overlap at index: 3")],
        base={**INDEXED, "spec.backoffLimitPerIndex": 1},
    ),
    Row("failed indexes without limit", {"status.failedIndexes": "3"}, [wrong("status.failedIndexes", INVALID)], base=INDEXED),
)


@pytest.mark.parametrize("row", STATUS, ids=lambda row: row.id)
def test_status(row: Row) -> None:
    check(errors_on_update(JOBS, PLAIN, Row(row.id, row.changes, row.wrong, "status", row.base)), row.wrong)


CRON: Plain = {
    "metadata": {"name": "tick", "namespace": "default"},
    "spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": POD}}},
}
J = "spec.jobTemplate.spec"
CRON_ROWS = (
    Row("right", {}),
    Row("a long name", {"metadata.name": "a" * 53}, [wrong("metadata.name", INVALID, "no more than 52 characters")]),
    Row("no schedule", {"spec.schedule": ""}, [wrong("spec.schedule", REQUIRED)]),
    Row("no such time", {"spec.schedule": "61 * * * *"}, [wrong("spec.schedule", INVALID, "above maximum (59)")]),
    Row("zone in the schedule", {"spec.schedule": "TZ=UTC * * * * *"}, [wrong("spec.schedule", INVALID, "use timeZone")]),
    Row("zone", {"spec.timeZone": "Etc/UTC"}),
    Row("no such zone", {"spec.timeZone": "Mars/Base"}, [wrong("spec.timeZone", INVALID, "unknown time zone Mars/Base")]),
    Row("a zone that leads elsewhere", {"spec.timeZone": "../etc/passwd"}, [wrong("spec.timeZone", INVALID)]),
    Row("wherever this is", {"spec.timeZone": "Local"}, [wrong("spec.timeZone", INVALID, "explicit time zone")]),
    Row("concurrency", {"spec.concurrencyPolicy": "Queue"}, [wrong("spec.concurrencyPolicy", UNSUPPORTED)]),
    Row(
        "counts",
        {"spec.startingDeadlineSeconds": -1, "spec.successfulJobsHistoryLimit": -1, "spec.failedJobsHistoryLimit": -1},
        [
            wrong("spec.startingDeadlineSeconds", INVALID),
            wrong("spec.successfulJobsHistoryLimit", INVALID),
            wrong("spec.failedJobsHistoryLimit", INVALID),
        ],
    ),
    Row(
        "pods without end", {f"{J}.template.spec.restartPolicy": ABSENT}, [wrong(f"{J}.template.spec.restartPolicy", REQUIRED)]
    ),
    Row("labels", {"spec.jobTemplate.metadata": {"labels": {"a b": ""}}}, [wrong("spec.jobTemplate.metadata.labels", INVALID)]),
    Row("selector", {f"{J}.selector": {"matchLabels": {"a": "b"}}}, [wrong(f"{J}.selector", INVALID, "auto-generated")]),
    Row("selector by hand", {f"{J}.manualSelector": True}, [wrong(f"{J}.manualSelector", UNSUPPORTED)]),
    Row("indexed", {f"{J}.completionMode": "Indexed"}, [wrong(f"{J}.completions", REQUIRED)]),
)


@pytest.mark.parametrize("row", CRON_ROWS, ids=lambda row: row.id)
def test_create_cron_job(row: Row) -> None:
    plain = changed(CRON, row.changes)
    check(errors_on_create(CRON_JOBS, plain), row.wrong)
    check_defaults_are_stable(CRON_JOBS, plain)


def test_defaults_of_a_cron_job() -> None:
    spec = codec.to_plain(created(CRON_JOBS, CRON))["spec"]
    assert {key: value for key, value in spec.items() if key != "jobTemplate"} == {
        "schedule": "*/5 * * * *",
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }
    assert spec["jobTemplate"]["spec"].keys() == {"template"}
    assert spec["jobTemplate"]["spec"]["template"]["spec"]["dnsPolicy"] == "ClusterFirst"


def test_a_cron_job_can_change() -> None:
    changes = {"spec.schedule": "@daily", f"{J}.template.spec.containers[0].image": "x", "spec.suspend": True}
    check(errors_on_update(CRON_JOBS, CRON, Row("", changes)), [])
