"""Descriptions of what governs others, line by line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from kctl.describe import Surroundings, describer_for

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NETWORKING, RBAC = "networking.k8s.io", "rbac.authorization.k8s.io"
SERVICE = {"service": {"name": "web", "port": {"number": 80}}}


def lines(group: str, kind: str, **parts: Any) -> list[str]:
    obj = {"metadata": {"name": "x", "namespace": "default"}, **parts}
    text = describer_for(group, kind)(obj, Surroundings(NOW)).text()
    return [re.sub(r" {2,}", "  ", line.strip()) for line in text.split("\n")]


CASES = (
    (
        lines(
            RBAC,
            "ClusterRole",
            rules=[
                {"apiGroups": ["", "apps"], "resources": ["pods"], "resourceNames": ["a"], "verbs": ["get", "list"]},
                {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
            ],
        ),
        ["pods  []  [a]  [get list]", "pods.apps  []  [a]  [get list]", "[/metrics]  []  [get]"],
    ),
    (
        lines(
            RBAC,
            "RoleBinding",
            roleRef={"kind": "Role", "name": "r"},
            subjects=[{"kind": "ServiceAccount", "name": "s", "namespace": "n"}],
        ),
        ["Kind:  Role", "Name:  r", "ServiceAccount  s  n"],
    ),
    (
        lines("policy", "PodDisruptionBudget", spec={"minAvailable": 1, "selector": {}}, status={"currentHealthy": 2}),
        ["Min available:  1", "Selector:  <none>", "Allowed disruptions:  0", "Current:  2"],
    ),
    (
        lines(
            "autoscaling",
            "HorizontalPodAutoscaler",
            spec={
                "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                "minReplicas": 1,
                "maxReplicas": 3,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}}],
            },
        ),
        [
            "Reference:  Deployment/web",
            "resource cpu: <unknown>/80%",
            "Min replicas:  1",
            "Deployment pods:  0 current / 0 desired",
        ],
    ),
    (
        lines("autoscaling", "HorizontalPodAutoscaler", spec={"targetCPUUtilizationPercentage": 50}),
        ["resource cpu: <unknown>/50%", "Min replicas:  <unset>"],
    ),
    (
        lines(
            NETWORKING,
            "Ingress",
            spec={
                "ingressClassName": "nginx",
                "tls": [{"hosts": ["a", "b"], "secretName": "s"}],
                "rules": [{"host": "a", "http": {"paths": [{"path": "/", "backend": SERVICE}]}}],
            },
        ),
        ["Ingress Class:  nginx", "Default backend:  <default>", "s terminates a,b", "/  web:80"],
    ),
    (
        lines(
            NETWORKING,
            "NetworkPolicy",
            spec={
                "policyTypes": ["Ingress"],
                "ingress": [
                    {"ports": [{"port": 80, "endPort": 90}], "from": [{"podSelector": {"matchLabels": {"a": "b"}}}]},
                    {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]},
                ],
            },
        ),
        [
            "PodSelector: <none> (Allowing the specific traffic to all pods in this namespace)",
            "To Port: 80-90/TCP",
            "PodSelector: a=b",
            "To Port: <any> (traffic allowed to all ports)",
            "Except: 10.1.0.0/16",
            "Not affecting egress traffic",
        ],
    ),
    (
        lines(NETWORKING, "NetworkPolicy", spec={"policyTypes": ["Egress"]}),
        ["<none> (Selected pods are isolated for egress connectivity)", "Policy Types: Egress"],
    ),
)


@pytest.mark.parametrize(("found", "wanted"), CASES)
def test_lines_stand_in_this_order(found: list[str], wanted: list[str]) -> None:
    positions = [found.index(line) for line in wanted]
    assert positions == sorted(positions)
