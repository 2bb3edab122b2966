"""Small objects for tests: pods of busybox that end quickly, Deployments and Services of them.

pod("hello", "echo hello")                                   # restartPolicy Never
pod("web", server(), restartPolicy="Always", labels={"app": "web"})
deployment("web", 3, web_container())
"""

from __future__ import annotations

from typing import Any

BUSYBOX = "busybox:1"
# Has Python with sockets, for what busybox has no program for.
PYTHON_IMAGE = "registry.local/coxswain/guestbook:1"
WEB_PORT = 8080
GO = "/tmp/go"

Object = dict[str, Any]


def shell(script: str, name: str = "main", **fields: Any) -> Object:
    """A container that runs a shell script, quick to end when told to."""
    return {"name": name, "image": BUSYBOX, "command": ["sh", "-c", script], **fields}


def held(script: str) -> str:
    """The script, which then goes on only once `Namespace.let_go` says so: by then its words can have been read."""
    return f"{script}; until test -e {GO}; do sleep 0.05; done"


def python(script: str, name: str = "main", **fields: Any) -> Object:
    """A container that runs a Python program; of the library there is socket, threading, json and little else."""
    return {"name": name, "image": PYTHON_IMAGE, "command": ["/usr/bin/python3", "-EsSu", "-c", script], **fields}


def pod(name: str, container: str | Object | list[Object], *, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """A pod of a script, a container, or several; restartPolicy Never and a short grace period unless told otherwise."""
    if isinstance(container, str):
        container = shell(container)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {
            "containers": container if isinstance(container, list) else [container],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            **spec,
        },
    }


def sleeper(name: str = "main", **fields: Any) -> Object:
    """A container that does nothing until it is told to end, and then ends at once."""
    return shell("trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done", name, **fields)


def web_container(text: str = "$HOSTNAME", *, drain_s: int = 0, **fields: Any) -> Object:
    """A web server on port 8080 whose page is `text` (the shell expands it); it serves on for `drain_s` when told to end."""
    script = f'mkdir -p /tmp/www && echo "{text}" > /tmp/www/index.html && exec httpd -f -p {WEB_PORT} -h /tmp/www'
    container = shell(
        script,
        "web",
        ports=[{"name": "http", "containerPort": WEB_PORT}],
        readinessProbe={"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1},
    )
    if drain_s:
        container["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", str(drain_s)]}}}
    return {**container, **fields}


def deployment(
    name: str, replicas: int, container: Object, *, grace_s: int = 1, template: Object | None = None, **spec: Any
) -> Object:
    """A Deployment of pods labelled app=NAME; `template` adds to the pods' spec, `spec` to the Deployment's."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": grace_s, **(template or {})},
            },
            **spec,
        },
    }


def service(name: str, *, app: str = "", port: int = 80, target: Any = "http", node_port: int = 0, **spec: Any) -> Object:
    """A Service of the pods labelled app=NAME (or `app`); with a node port, of type NodePort."""
    row: Object = {"name": "http", "port": port, "targetPort": target, "protocol": spec.pop("protocol", "TCP")}
    if node_port:
        row["nodePort"] = node_port
        spec["type"] = "NodePort"
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app or name}, "ports": [row], **spec},
    }


def config_map(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
