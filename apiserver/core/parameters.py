"""Query parameters and DeleteOptions bodies into `Options`; what does not parse is 400, naming the parameter."""

from collections.abc import Iterable, Sequence

import msgspec

from apimachinery import codec, errors
from apimachinery.errors import FieldError
from apimachinery.kinds.meta import DeleteOptions
from apiserver.core.ownership import MANAGER_BYTES_MAX
from apiserver.core.request import FieldValidation, Options, PatchType, Request, Verb

_PROPAGATION = ("", "Orphan", "Background", "Foreground")
_MATCHES = ("", "NotOlderThan", "Exact")
_OPTION_KINDS = {Verb.CREATE: "CreateOptions", Verb.UPDATE: "UpdateOptions", Verb.PATCH: "PatchOptions"}
_TRUE = ("true", "1", "True", "TRUE", "t", "T")
_FALSE = ("false", "0", "False", "FALSE", "f", "F", "")


def parse_options(pairs: Sequence[tuple[str, str]], *, default_validation: FieldValidation) -> Options:
    """Options from a query, in which the first value of a repeated parameter counts; raises ApiError (400)."""
    given: dict[str, str] = {}
    for key, value in pairs:
        given.setdefault(key, value)
    match = given.get("resourceVersionMatch", "")
    if match not in _MATCHES:
        listed = '"Exact", "NotOlderThan"'
        raise errors.bad_request(f'resourceVersionMatch: Unsupported value: "{match}": supported values: {listed}')
    if match and not given.get("resourceVersion") and not given.get("sendInitialEvents"):
        raise errors.bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
    initial = given.get("sendInitialEvents")
    return Options(
        dry_run=parse_dry_run([value for key, value in pairs if key == "dryRun"]),
        field_manager=given.get("fieldManager", ""),
        force=_optional_boolean("force", given.get("force")),
        field_validation=parse_field_validation(given.get("fieldValidation", ""), default_validation),
        label_selector=given.get("labelSelector", ""),
        field_selector=given.get("fieldSelector", ""),
        resource_version=given.get("resourceVersion", ""),
        resource_version_match=match,
        limit=parse_integer("limit", given.get("limit", ""), 0) or 0,
        continue_token=given.get("continue", ""),
        allow_bookmarks=parse_boolean("allowWatchBookmarks", given.get("allowWatchBookmarks", "")),
        send_initial_events=None if initial is None else parse_boolean("sendInitialEvents", initial),
        timeout_s=float(parse_integer("timeoutSeconds", given.get("timeoutSeconds", ""), 0) or 0),
        propagation_policy=parse_propagation(given.get("propagationPolicy", "")),
        grace_period_s=parse_integer("gracePeriodSeconds", given.get("gracePeriodSeconds", ""), None),
        orphan_dependents=_optional_boolean("orphanDependents", given.get("orphanDependents")),
        parameters=tuple(pairs),
    )


def require_write_options(request: Request) -> None:
    """Raise ApiError (422) for a field manager that is no name, and for what an apply needs and other writes must not have."""
    manager, force = request.options.field_manager, request.options.force
    applies = request.verb is Verb.PATCH and request.content_type == PatchType.APPLY
    wrong: list[FieldError] = []
    if applies and not manager:
        wrong.append(FieldError.required("fieldManager", "is required for apply patch"))
    if request.verb is Verb.PATCH and not applies and force is not None:
        wrong.append(FieldError.forbidden("force", "may not be specified for non-apply patch"))
    if len(manager.encode()) > MANAGER_BYTES_MAX:
        wrong.append(FieldError.too_long("fieldManager", MANAGER_BYTES_MAX))
    if not manager.isprintable():
        place = next(index for index, letter in enumerate(manager) if not letter.isprintable())
        detail = f"should only contain printable characters (invalid character {manager[place]!a} at position {place})"
        wrong.append(FieldError.invalid("fieldManager", manager, detail))
    if wrong:
        raise errors.invalid(_OPTION_KINDS.get(request.verb, "DeleteOptions"), "", wrong, group="meta.k8s.io")


def parse_dry_run(values: Iterable[str]) -> bool:
    """Whether the write is only tried; `All` is the one value there is."""
    chosen = [value for value in values if value]
    for value in chosen:
        if value != "All":
            raise errors.bad_request(f'dryRun: Unsupported value: "{value}": supported values: "All"')
    return bool(chosen)


def parse_field_validation(text: str, default: FieldValidation) -> FieldValidation:
    if not text:
        return default
    try:
        return FieldValidation(text)
    except ValueError:
        listed = ", ".join(f'"{each}"' for each in FieldValidation)
        raise errors.bad_request(f'fieldValidation: Unsupported value: "{text}": supported values: {listed}') from None


def parse_propagation(text: str) -> str:
    if text not in _PROPAGATION:
        listed = ", ".join(f'"{each}"' for each in ("Foreground", "Background", "Orphan"))
        raise errors.bad_request(f'propagationPolicy: Unsupported value: "{text}": supported values: {listed}')
    return text


def parse_boolean(name: str, text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise errors.bad_request(f'{name}: Invalid value: "{text}": must be true or false')


def parse_integer(name: str, text: str, default: int | None) -> int | None:
    """A whole number that is not negative."""
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise errors.bad_request(f'{name}: Invalid value: "{text}": must be a whole number, 0 or more')
    return int(text)


def delete_options(options: Options, body: bytes) -> tuple[Options, str, str]:
    """The options of a delete with those of its DeleteOptions body over them, and the uid and resourceVersion preconditions."""
    if not body.strip():
        return options, "", ""
    given = codec.decode(DeleteOptions, body)
    if given.kind not in ("", "DeleteOptions"):
        raise errors.bad_request(f'the body of a delete is "DeleteOptions", not "{given.kind}"')
    if given.grace_period_seconds is not None and given.grace_period_seconds < 0:
        raise errors.bad_request("gracePeriodSeconds: must be a whole number, 0 or more")
    merged = msgspec.structs.replace(
        options,
        dry_run=options.dry_run or parse_dry_run(given.dry_run),
        propagation_policy=parse_propagation(given.propagation_policy) or options.propagation_policy,
        grace_period_s=options.grace_period_s if given.grace_period_seconds is None else given.grace_period_seconds,
        orphan_dependents=options.orphan_dependents if given.orphan_dependents is None else given.orphan_dependents,
    )
    if merged.orphan_dependents is not None and merged.propagation_policy:
        raise errors.bad_request("orphanDependents and propagationPolicy cannot be both set")
    preconditions = given.preconditions
    return merged, preconditions.uid if preconditions else "", preconditions.resource_version if preconditions else ""


def _optional_boolean(name: str, text: str | None) -> bool | None:
    return None if text is None else parse_boolean(name, text)
