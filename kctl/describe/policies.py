"""Descriptions of what governs others: roles and bindings, budgets, autoscalers, ingresses, network policies."""

from collections.abc import Iterator, Sequence

from apimachinery.printing.autoscaling import metric_text, targets_text
from apimachinery.printing.shape import selector_text
from kctl.describe.common import Plain, Surroundings, annotations, conditions, events, heading, labels, long_time, metadata_of
from kctl.describe.text import Page


def describe_role(role: Plain, around: Surroundings) -> Page:
    page, metadata = Page(), metadata_of(role)
    heading(page, role, namespaced=False)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.line("PolicyRule:")
    rows = [row for rule in role.get("rules") or () for row in _rule_rows(rule)]
    page.table(("Resources", "Non-Resource URLs", "Resource Names", "Verbs"), rows)
    return page


def describe_binding(binding: Plain, around: Surroundings) -> Page:
    page, metadata = Page(), metadata_of(binding)
    reference = binding.get("roleRef") or {}
    heading(page, binding, namespaced=False)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.line("Role:")
    page.field("Kind", reference.get("kind", ""), 1)
    page.field("Name", reference.get("name", ""), 1)
    page.line("Subjects:")
    subjects = binding.get("subjects") or ()
    rows = [(each.get("kind", ""), each.get("name", ""), each.get("namespace", "")) for each in subjects]
    page.table(("Kind", "Name", "Namespace"), rows)
    return page


def describe_budget(budget: Plain, around: Surroundings) -> Page:
    page, spec, status = Page(), budget.get("spec") or {}, budget.get("status") or {}
    heading(page, budget)
    page.optional("Min available", spec.get("minAvailable"))
    page.optional("Max unavailable", spec.get("maxUnavailable"))
    page.field("Selector", selector_text(spec.get("selector")) if "selector" in spec else "<unset>")
    page.line("Status:")
    page.field("Allowed disruptions", status.get("disruptionsAllowed") or 0, 2)
    page.field("Current", status.get("currentHealthy") or 0, 2)
    page.field("Desired", status.get("desiredHealthy") or 0, 2)
    page.field("Total", status.get("expectedPods") or 0, 2)
    events(page, around)
    return page


def describe_autoscaler(autoscaler: Plain, around: Surroundings) -> Page:
    page, metadata = Page(), metadata_of(autoscaler)
    spec, status = autoscaler.get("spec") or {}, autoscaler.get("status") or {}
    target, measured = spec.get("scaleTargetRef") or {}, status.get("currentMetrics") or ()
    heading(page, autoscaler)
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.field("CreationTimestamp", long_time(metadata.get("creationTimestamp")))
    page.field("Reference", f"{target.get('kind', '')}/{target.get('name', '')}")
    page.field("Metrics", "( current / target )")
    if "targetCPUUtilizationPercentage" in spec:
        page.line(f"resource {targets_text(autoscaler)}", 1)
    for index, metric in enumerate(spec.get("metrics") or ()):
        shown = metric_text(metric, measured[index] if index < len(measured) else {})
        page.line(f"{metric.get('type', '').lower()} {shown}", 1)
    least = spec.get("minReplicas")
    page.field("Min replicas", "<unset>" if least is None else least)
    page.field("Max replicas", spec.get("maxReplicas") or 0)
    counts = f"{status.get('currentReplicas') or 0} current / {status.get('desiredReplicas') or 0} desired"
    page.field(f"{target.get('kind', '')} pods", counts)
    columns = (("Type", "type"), ("Status", "status"), ("Reason", "reason"), ("Message", "message"))
    conditions(page, status.get("conditions") or (), columns)
    events(page, around)
    return page


def describe_ingress(ingress: Plain, around: Surroundings) -> Page:
    page, metadata, spec = Page(), metadata_of(ingress), ingress.get("spec") or {}
    balancer = (ingress.get("status") or {}).get("loadBalancer") or {}
    page.field("Name", metadata.get("name", ""))
    labels(page, metadata.get("labels"))
    page.field("Namespace", metadata.get("namespace", ""))
    page.field("Address", ",".join(each.get("ip") or each.get("hostname") or "" for each in balancer.get("ingress") or ()))
    page.field("Ingress Class", spec.get("ingressClassName") or "<none>")
    page.field("Default backend", _backend(spec["defaultBackend"]) if spec.get("defaultBackend") else "<default>")
    if spec.get("tls"):
        page.line("TLS:")
        for tls in spec["tls"]:
            secret = tls.get("secretName") or "SNI routes"
            page.line(f"{secret} terminates {','.join(tls.get('hosts') or ())}", 1)
    page.line("Rules:")
    page.table(("Host", "Path", "Backends"), _rule_lines(spec.get("rules") or ()))
    annotations(page, metadata.get("annotations"))
    events(page, around)
    return page


def describe_network_policy(policy: Plain, around: Surroundings) -> Page:
    page, metadata, spec = Page(), metadata_of(policy), policy.get("spec") or {}
    heading(page, policy)
    page.field("Created on", long_time(metadata.get("creationTimestamp")))
    labels(page, metadata.get("labels"))
    annotations(page, metadata.get("annotations"))
    page.line("Spec:")
    selected = selector_text(spec.get("podSelector"))
    everything = " (Allowing the specific traffic to all pods in this namespace)" if selected == "<none>" else ""
    page.line(f"PodSelector: {selected}{everything}", 1)
    kinds = spec.get("policyTypes") or ()
    for kind, key, peers, towards in (("Ingress", "ingress", "from", "From"), ("Egress", "egress", "to", "To")):
        if kind not in kinds:
            page.line(f"Not affecting {kind.lower()} traffic", 1)
            continue
        page.line(f"Allowing {kind.lower()} traffic:", 1)
        rules = spec.get(key) or ()
        if not rules:
            page.line(f"<none> (Selected pods are isolated for {kind.lower()} connectivity)", 2)
        for index, rule in enumerate(rules):
            if index:
                page.line("----------", 2)
            _traffic(page, rule.get("ports") or (), rule.get(peers) or (), towards)
    page.line(f"Policy Types: {', '.join(kinds)}", 1)
    return page


def _rule_rows(rule: Plain) -> Iterator[tuple[str, str, str, str]]:
    names, verbs = _listed(rule.get("resourceNames")), _listed(rule.get("verbs"))
    for path in rule.get("nonResourceURLs") or ():
        yield "", f"[{path}]", "[]", verbs
    for resource in rule.get("resources") or ():
        for group in rule.get("apiGroups") or ("",):
            yield f"{resource}.{group}" if group else resource, "[]", names, verbs


def _listed(words: Sequence[str] | None) -> str:
    return f"[{' '.join(words or ())}]"


def _backend(backend: Plain) -> str:
    service = backend.get("service")
    if service:
        port = service.get("port") or {}
        return f"{service.get('name', '')}:{port.get('name') or port.get('number') or ''}"
    resource = backend.get("resource") or {}
    return f"APIGroup: {resource.get('apiGroup', '')}, Kind: {resource.get('kind', '')}, Name: {resource.get('name', '')}"


def _rule_lines(rules: Sequence[Plain]) -> Iterator[tuple[str, str, str]]:
    if not rules:
        yield "*", "*", ""
    for rule in rules:
        yield rule.get("host") or "*", "", ""
        for path in (rule.get("http") or {}).get("paths") or ():
            yield "", path.get("path", ""), _backend(path.get("backend") or {})


def _traffic(page: Page, ports: Sequence[Plain], peers: Sequence[Plain], towards: str) -> None:
    if not ports:
        page.line("To Port: <any> (traffic allowed to all ports)", 2)
    for port in ports:
        last = f"-{port['endPort']}" if port.get("endPort") else ""
        page.line(f"To Port: {port.get('port', '<any>')}{last}/{port.get('protocol') or 'TCP'}", 2)
    if not peers:
        page.line(f"{towards}: <any> (traffic not restricted by {'source' if towards == 'From' else 'destination'})", 2)
    for peer in peers:
        page.line(f"{towards}:", 2)
        if peer.get("namespaceSelector") is not None:
            page.line(f"NamespaceSelector: {selector_text(peer['namespaceSelector'])}", 3)
        if peer.get("podSelector") is not None:
            page.line(f"PodSelector: {selector_text(peer['podSelector'])}", 3)
        if peer.get("ipBlock"):
            page.line("IPBlock:", 3)
            page.line(f"CIDR: {peer['ipBlock'].get('cidr', '')}", 4)
            page.line(f"Except: {', '.join(peer['ipBlock'].get('except') or ())}", 4)
