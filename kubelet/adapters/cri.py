"""A CRI v1 runtime behind the runtime port: grpc.aio over the runtime's unix socket.

One channel for the life of the kubelet; gRPC reconnects it when the runtime comes back. Calls that make or end things get as
long as they may take, questions get a short deadline so that a hung runtime is noticed. containerd before 1.7 reports exits
only through its own event service, which listens on the same socket; other runtimes are asked for CRI's.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, TypeVar

import grpc
import grpc.aio

from kubelet.core import model
from kubelet.core.model import (
    CommandResult,
    ContainerRecord,
    ContainerUsage,
    ImageRecord,
    RegistryLogin,
    RuntimeEvent,
    RuntimeHealth,
    Sandbox,
    State,
)
from kubelet.ports import (
    CommandTimeoutError,
    EventsUnsupportedError,
    RuntimeFailureError,
    RuntimeGoneError,
    RuntimeNotFoundError,
)
from proto.gen import containerd_events_pb2 as containerd
from proto.gen import containerd_events_pb2_grpc as containerd_grpc
from proto.gen import cri_pb2 as cri
from proto.gen import cri_pb2_grpc as cri_grpc

_QUESTION_TIMEOUT_S = 10.0
_ACTION_TIMEOUT_S = 120.0
_PULL_TIMEOUT_S = 600.0
_MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024
_CONTAINERD_NAMESPACE = (("containerd-namespace", "k8s.io"),)
_TASK_TOPICS = ('topic=="/tasks/exit"', 'topic=="/tasks/oom"')

AnswerT = TypeVar("AnswerT")

_STATES = {
    cri.CONTAINER_CREATED: State.CREATED,
    cri.CONTAINER_RUNNING: State.RUNNING,
    cri.CONTAINER_EXITED: State.EXITED,
    cri.CONTAINER_UNKNOWN: State.UNKNOWN,
}


class CriRuntime:
    """The runtime at `endpoint` (`unix:///run/containerd/containerd.sock`)."""

    def __init__(self, endpoint: str) -> None:
        self._channel = grpc.aio.insecure_channel(
            endpoint,
            options=[
                ("grpc.max_receive_message_length", _MESSAGE_LIMIT_BYTES),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.min_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1000),
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )
        self._runtime: Any = cri_grpc.RuntimeServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._images: Any = cri_grpc.ImageServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._events: Any = containerd_grpc.EventsStub(self._channel)  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        await self._channel.close(None)

    async def version(self) -> str:
        answer = await _call(self._runtime.Version(cri.VersionRequest(version="v1"), timeout=_QUESTION_TIMEOUT_S))
        return f"{answer.runtime_name}://{answer.runtime_version.split('~')[0]}"

    async def health(self) -> RuntimeHealth:
        answer = await _call(self._runtime.Status(cri.StatusRequest(), timeout=_QUESTION_TIMEOUT_S))
        found = {each.type: each for each in answer.status.conditions}
        runtime, network = found.get("RuntimeReady"), found.get("NetworkReady")
        return RuntimeHealth(
            runtime_ready=runtime is not None and runtime.status,
            network_ready=network is not None and network.status,
            runtime_message=_condition_text(runtime),
            network_message=_condition_text(network),
        )

    async def run_sandbox(self, config: cri.PodSandboxConfig) -> str:
        request = cri.RunPodSandboxRequest(config=config)
        answer = await _call(self._runtime.RunPodSandbox(request, timeout=_ACTION_TIMEOUT_S))
        return str(answer.pod_sandbox_id)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        request = cri.StopPodSandboxRequest(pod_sandbox_id=sandbox_id)
        await _gone_is_fine(_call(self._runtime.StopPodSandbox(request, timeout=_ACTION_TIMEOUT_S)))

    async def remove_sandbox(self, sandbox_id: str) -> None:
        request = cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id)
        await _gone_is_fine(_call(self._runtime.RemovePodSandbox(request, timeout=_ACTION_TIMEOUT_S)))

    async def sandbox_status(self, sandbox_id: str) -> Sandbox:
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        answer = await _call(self._runtime.PodSandboxStatus(request, timeout=_QUESTION_TIMEOUT_S))
        status = answer.status
        addresses = (status.network.ip, *(each.ip for each in status.network.additional_ips))
        return _sandbox(status, tuple(each for each in addresses if each))

    async def sandbox_network(self, sandbox_id: str) -> str | None:
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id, verbose=True)
        answer = await _call(self._runtime.PodSandboxStatus(request, timeout=_QUESTION_TIMEOUT_S))
        return _network_namespace(answer.info.get("info", ""))

    async def list_sandboxes(self) -> list[Sandbox]:
        answer = await _call(self._runtime.ListPodSandbox(cri.ListPodSandboxRequest(), timeout=_QUESTION_TIMEOUT_S))
        return [_sandbox(each) for each in answer.items]

    async def create_container(self, sandbox_id: str, config: cri.ContainerConfig, sandbox: cri.PodSandboxConfig) -> str:
        request = cri.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=config, sandbox_config=sandbox)
        answer = await _call(self._runtime.CreateContainer(request, timeout=_ACTION_TIMEOUT_S))
        return str(answer.container_id)

    async def start_container(self, container_id: str) -> None:
        request = cri.StartContainerRequest(container_id=container_id)
        await _call(self._runtime.StartContainer(request, timeout=_ACTION_TIMEOUT_S))

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        request = cri.StopContainerRequest(container_id=container_id, timeout=grace_s)
        await _gone_is_fine(_call(self._runtime.StopContainer(request, timeout=grace_s + _ACTION_TIMEOUT_S)))

    async def remove_container(self, container_id: str) -> None:
        request = cri.RemoveContainerRequest(container_id=container_id)
        await _gone_is_fine(_call(self._runtime.RemoveContainer(request, timeout=_ACTION_TIMEOUT_S)))

    async def container_status(self, container_id: str) -> ContainerRecord:
        request = cri.ContainerStatusRequest(container_id=container_id)
        answer = await _call(self._runtime.ContainerStatus(request, timeout=_QUESTION_TIMEOUT_S))
        return _container(answer.status)

    async def list_containers(self) -> list[ContainerRecord]:
        answer = await _call(self._runtime.ListContainers(cri.ListContainersRequest(), timeout=_QUESTION_TIMEOUT_S))
        return [_listed(each) for each in answer.containers]

    async def update_resources(self, container_id: str, resources: cri.LinuxContainerResources) -> None:
        request = cri.UpdateContainerResourcesRequest(container_id=container_id, linux=resources)
        await _call(self._runtime.UpdateContainerResources(request, timeout=_QUESTION_TIMEOUT_S))

    async def reopen_log(self, container_id: str) -> None:
        request = cri.ReopenContainerLogRequest(container_id=container_id)
        await _call(self._runtime.ReopenContainerLog(request, timeout=_QUESTION_TIMEOUT_S))

    async def run_command(self, container_id: str, command: Sequence[str], timeout_s: float) -> CommandResult:
        whole_s = max(1, round(timeout_s))
        request = cri.ExecSyncRequest(container_id=container_id, cmd=command, timeout=whole_s)
        try:
            answer = await _call(self._runtime.ExecSync(request, timeout=whole_s + _QUESTION_TIMEOUT_S))
        except RuntimeFailureError as error:
            if "timeout" in str(error) or "deadline" in str(error).lower():
                raise CommandTimeoutError(f'command "{" ".join(command)}" timed out') from error
            raise
        return CommandResult(answer.exit_code, answer.stdout, answer.stderr)

    async def execute_url(
        self, container_id: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> str:
        """Where the runtime's streaming server waits for one client to run this command."""
        request = cri.ExecRequest(
            container_id=container_id, cmd=command, tty=tty, stdin=stdin, stdout=stdout, stderr=stderr and not tty
        )
        return str((await _call(self._runtime.Exec(request, timeout=_QUESTION_TIMEOUT_S))).url)

    async def attach_url(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> str:
        """Where the runtime's streaming server waits for one client to join the container."""
        request = cri.AttachRequest(container_id=container_id, tty=tty, stdin=stdin, stdout=stdout, stderr=stderr and not tty)
        return str((await _call(self._runtime.Attach(request, timeout=_QUESTION_TIMEOUT_S))).url)

    async def usage(self) -> list[ContainerUsage]:
        request = cri.ListContainerStatsRequest()
        answer = await _call(self._runtime.ListContainerStats(request, timeout=_QUESTION_TIMEOUT_S))
        return [_usage(each) for each in answer.stats]

    async def image_status(self, reference: str) -> ImageRecord | None:
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=reference))
        try:
            answer = await _call(self._images.ImageStatus(request, timeout=_QUESTION_TIMEOUT_S))
        except RuntimeNotFoundError:
            return None
        return _image(answer.image) if answer.HasField("image") else None

    async def pull_image(self, reference: str, login: RegistryLogin | None, sandbox: cri.PodSandboxConfig | None) -> str:
        request = cri.PullImageRequest(image=cri.ImageSpec(image=reference), sandbox_config=sandbox)
        if login is not None:
            request.auth.CopyFrom(
                cri.AuthConfig(
                    username=login.username,
                    password=login.password,
                    server_address=login.server,
                    identity_token=login.identity_token,
                    registry_token=login.registry_token,
                )
            )
        return str((await _call(self._images.PullImage(request, timeout=_PULL_TIMEOUT_S))).image_ref)

    async def list_images(self) -> list[ImageRecord]:
        answer = await _call(self._images.ListImages(cri.ListImagesRequest(), timeout=_QUESTION_TIMEOUT_S))
        return [_image(each) for each in answer.images]

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        name = await self.version()
        stream = self._containerd_events() if name.startswith("containerd://") else self._cri_events()
        try:
            async for event in stream:
                yield event
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.UNIMPLEMENTED:
                raise EventsUnsupportedError(f"{name} has no event stream") from error
            raise _translated(error) from error
        raise RuntimeGoneError("the runtime ended its event stream")

    async def _containerd_events(self) -> AsyncIterator[RuntimeEvent]:
        request = containerd.SubscribeRequest(filters=_TASK_TOPICS)
        async for envelope in self._events.Subscribe(request, metadata=_CONTAINERD_NAMESPACE):
            if envelope.topic != "/tasks/exit":
                continue
            task = containerd.TaskExit.FromString(envelope.event.value)
            if task.id in ("", task.container_id):
                yield RuntimeEvent(task.container_id, True, task.exit_status, task.exited_at.ToNanoseconds())

    async def _cri_events(self) -> AsyncIterator[RuntimeEvent]:
        async for event in self._runtime.GetContainerEvents(cri.GetEventsRequest()):
            yield RuntimeEvent(event.container_id, event.container_event_type == cri.CONTAINER_STOPPED_EVENT)


async def _call(awaitable: Awaitable[AnswerT]) -> AnswerT:
    try:
        return await awaitable
    except grpc.aio.AioRpcError as error:
        raise _translated(error) from error


async def _gone_is_fine(awaitable: Awaitable[object]) -> None:
    try:
        await awaitable
    except RuntimeNotFoundError:
        return


def _translated(error: grpc.aio.AioRpcError) -> RuntimeFailureError:
    text = error.details() or error.code().name
    if error.code() == grpc.StatusCode.NOT_FOUND or text.endswith(("not found", "does not exist")):
        return RuntimeNotFoundError(text)
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return RuntimeGoneError(text)
    return RuntimeFailureError(f"rpc error: code = {_CODE_NAMES.get(error.code(), 'Unknown')} desc = {text}")


_CODE_NAMES = {code: "".join(part.capitalize() for part in code.name.split("_")) for code in grpc.StatusCode}


def _condition_text(condition: cri.RuntimeCondition | None) -> str:
    if condition is None or condition.status:
        return ""
    return f"{condition.type}=false reason:{condition.reason} message:{condition.message}"


def _sandbox(message: cri.PodSandbox | cri.PodSandboxStatus, addresses: tuple[str, ...] = ()) -> Sandbox:
    return Sandbox(
        id=message.id,
        pod_uid=message.metadata.uid,
        pod_name=message.metadata.name,
        pod_namespace=message.metadata.namespace,
        attempt=message.metadata.attempt,
        ready=message.state == cri.SANDBOX_READY,
        created_at=message.created_at,
        addresses=addresses,
    )


def _listed(message: cri.Container) -> ContainerRecord:
    return ContainerRecord(
        id=message.id,
        sandbox_id=message.pod_sandbox_id,
        pod_uid=message.labels.get(model.POD_UID, ""),
        name=message.metadata.name,
        attempt=message.metadata.attempt,
        state=_STATES[message.state],
        created_at=message.created_at,
        image=message.image.image,
        image_ref=message.image_ref,
        labels=dict(message.labels),
        annotations=dict(message.annotations),
    )


def _container(message: cri.ContainerStatus) -> ContainerRecord:
    return ContainerRecord(
        id=message.id,
        sandbox_id="",
        pod_uid=message.labels.get(model.POD_UID, ""),
        name=message.metadata.name,
        attempt=message.metadata.attempt,
        state=_STATES[message.state],
        created_at=message.created_at,
        started_at=message.started_at,
        finished_at=message.finished_at,
        exit_code=message.exit_code,
        reason=message.reason,
        message=message.message,
        image=message.image.image,
        image_ref=message.image_ref,
        log_path=message.log_path,
        labels=dict(message.labels),
        annotations=dict(message.annotations),
    )


def _image(message: cri.Image) -> ImageRecord:
    return ImageRecord(
        id=message.id,
        tags=tuple(message.repo_tags),
        digests=tuple(message.repo_digests),
        size_bytes=message.size,
        uid=message.uid.value if message.HasField("uid") else None,
        username=message.username,
    )


def _usage(message: cri.ContainerStats) -> ContainerUsage:
    labels = message.attributes.labels
    return ContainerUsage(
        container_id=message.attributes.id,
        name=message.attributes.metadata.name,
        pod_uid=labels.get(model.POD_UID, ""),
        pod_name=labels.get(model.POD_NAME, ""),
        pod_namespace=labels.get(model.POD_NAMESPACE, ""),
        cpu_nanoseconds=message.cpu.usage_core_nano_seconds.value,
        taken_at=message.cpu.timestamp,
        memory_working_set_bytes=message.memory.working_set_bytes.value,
    )


def _network_namespace(info: str) -> str | None:
    """The network namespace in containerd's verbose sandbox information; None for the node's own."""
    details = json.loads(info) if info else {}
    for namespace in details.get("runtimeSpec", {}).get("linux", {}).get("namespaces", []):
        if namespace.get("type") == "network" and namespace.get("path"):
            return str(namespace["path"])
    return None
