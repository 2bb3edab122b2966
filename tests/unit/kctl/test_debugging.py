"""What kctl debug makes of a pod or a node."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import debugging
from kctl.debugging import Wishes
from kctl.errors import KctlError

POD: dict[str, Any] = {
    "metadata": {
        "name": "p",
        "namespace": "ns",
        "uid": "u",
        "labels": {"app": "x"},
        "annotations": {"a": "b"},
        "ownerReferences": [{"name": "rs"}],
    },
    "spec": {
        "nodeName": "n1",
        "priority": 0,
        "containers": [
            {"name": "c", "image": "a:1", "args": ["old"], "livenessProbe": {"tcpSocket": {"port": 1}}},
            {"name": "d", "image": "b:1"},
        ],
        "initContainers": [{"name": "i", "image": "a:1"}],
        "ephemeralContainers": [{"name": "e", "image": "a:1"}],
    },
    "status": {"phase": "Running"},
}


def copied(name: str, image: str = "busybox:1", words: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    options = {"set_image": "", "same_node": False, "share": True, **more}
    return debugging.copied(POD, "q", Wishes(name, image, words, profile="baseline"), **options)


def test_a_container_beside_the_others() -> None:
    wishes = Wishes("x", "busybox:1", ("sh", "-c", "id"), env=("A=1",), stdin=True, tty=True, target="c")
    assert debugging.ephemeral_patch(wishes) == {
        "spec": {
            "ephemeralContainers": [
                {
                    "name": "x",
                    "image": "busybox:1",
                    "targetContainerName": "c",
                    "command": ["sh", "-c", "id"],
                    "env": [{"name": "A", "value": "1"}],
                    "stdin": True,
                    "tty": True,
                    "securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}},
                }
            ]
        }
    }


@pytest.mark.parametrize(("tty", "once"), [(False, True), (True, False)])
def test_input_that_is_piped_in_ends_with_its_end(tty: bool, once: bool) -> None:
    (container,) = debugging.ephemeral_patch(Wishes("x", "i", stdin=True, tty=tty))["spec"]["ephemeralContainers"]
    assert (container["stdin"], container.get("stdinOnce", False)) == (True, once)


@pytest.mark.parametrize("profile", debugging.PROFILES)
def test_profiles(profile: str) -> None:
    (container,) = debugging.ephemeral_patch(Wishes("x", "i", profile=profile))["spec"]["ephemeralContainers"]
    assert container.get("securityContext") == debugging.PROFILES[profile]


def test_a_copy_is_nobodys() -> None:
    made = copied("x")
    assert made["metadata"] == {"name": "q", "namespace": "ns", "annotations": {"a": "b"}}
    spec = made["spec"]
    assert spec.keys() == {"containers", "initContainers", "shareProcessNamespace"}
    assert [each["name"] for each in spec["containers"]] == ["c", "d", "x"]
    assert not any("livenessProbe" in each for each in spec["containers"])
    assert "status" not in made
    assert POD["spec"]["containers"][0]["livenessProbe"]  # the original is left alone


def test_a_copy_with_a_container_changed() -> None:
    spec = copied("c", "debug:1", ("sleep", "9"), same_node=True, share=False)["spec"]
    assert spec["containers"][0] == {"name": "c", "image": "debug:1", "command": ["sleep", "9"]}
    assert (spec["nodeName"], "shareProcessNamespace" in spec) == ("n1", False)


def test_a_copy_with_other_images() -> None:
    images = [each["image"] for each in copied("x", set_image="c=z:1,*=y:1")["spec"]["containers"]]
    assert images == ["z:1", "y:1", "busybox:1"]
    for wrong in ("c", "c=", "=z", "nope=z"):
        with pytest.raises(KctlError):
            copied("x", set_image=wrong)


def test_a_new_container_needs_an_image() -> None:
    with pytest.raises(KctlError, match="new image"):
        copied("x", "")


def test_a_pod_on_a_node() -> None:
    spec = debugging.node_pod("n1", "x", Wishes("debugger", "busybox:1"))["spec"]
    assert (spec["nodeName"], spec["hostPID"], spec["hostNetwork"], spec["hostIPC"]) == ("n1", True, True, True)
    assert spec["containers"][0]["volumeMounts"] == [{"name": "host-root", "mountPath": "/host"}]
    restricted = debugging.node_pod("n1", "x", Wishes("debugger", "busybox:1", profile="restricted"))["spec"]
    assert not {"hostPID", "hostNetwork", "hostIPC", "volumes"} & restricted.keys()


REFUSED = (
    ("a terminal without input", Wishes("", "i", tty=True), {}, "-i/--stdin is required"),
    ("no image", Wishes(""), {}, "specify --image"),
    ("a target in a copy", Wishes("", "i", target="c"), {"copy_to": "q"}, "--target is incompatible"),
    ("a target on a node", Wishes("", "i", target="c"), {"node": True}, "--target is incompatible"),
    ("replace without a copy", Wishes("", "i"), {"replace": True}, "--replace may only"),
    ("a copy of a node", Wishes("", "i"), {"copy_to": "q", "node": True}, "not of nodes"),
)


@pytest.mark.parametrize(("name", "wishes", "more", "says"), REFUSED, ids=[each[0] for each in REFUSED])
def test_options_that_do_not_go_together(name: str, wishes: Wishes, more: dict[str, Any], says: str) -> None:
    options = {"copy_to": "", "node": False, "set_image": "", "replace": False, "same_node": False, **more}
    with pytest.raises(KctlError, match=says):
        debugging.check(wishes, **options)
