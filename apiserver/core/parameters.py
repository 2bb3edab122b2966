"""Query parameters and DeleteOptions bodies into `Options`; what does not parse is 400, naming the parameter."""

from collections.abc import Iterable, Sequence

import msgspec

from apimachinery import codec, errors
from apimachinery.errors import FieldError
from apimachinery.kinds.meta import DeleteOptions
from apiserver.core.bodies import JSON, as_json
from apiserver.core.ownership import MANAGER_BYTES_MAX
from apiserver.core.request import FieldValidation, Options, PatchType, Request, Verb

_PROPAGATION = ("", "Orphan", "Background", "Foreground")
_OPTION_KINDS = {Verb.CREATE: "CreateOptions", Verb.UPDATE: "UpdateOptions", Verb.PATCH: "PatchOptions"}
EXACT, NOT_OLDER_THAN = "Exact", "NotOlderThan"


def parse_options(pairs: Sequence[tuple[str, str]], *, default_validation: FieldValidation) -> Options:
    """Options from a query, in which the first value of a repeated parameter counts; raises ApiError (400)."""
    given: dict[str, str] = {}
    for key, value in pairs:
        given.setdefault(key, value)
    return Options(
        dry_run=parse_dry_run([value for key, value in pairs if key == "dryRun"]),
        field_manager=given.get("fieldManager", ""),
        force=_optional_boolean(given.get("force")),
        field_validation=parse_field_validation(given.get("fieldValidation", ""), default_validation),
        label_selector=given.get("labelSelector", ""),
        field_selector=given.get("fieldSelector", ""),
        resource_version=given.get("resourceVersion", ""),
        resource_version_match=given.get("resourceVersionMatch", ""),
        limit=parse_integer("limit", given.get("limit", ""), 0) or 0,
        continue_token=given.get("continue", ""),
        allow_bookmarks=parse_boolean(given.get("allowWatchBookmarks")),
        send_initial_events=_optional_boolean(given.get("sendInitialEvents")),
        timeout_s=float(parse_integer("timeoutSeconds", given.get("timeoutSeconds", ""), 0) or 0),
        propagation_policy=parse_propagation(given.get("propagationPolicy", "")),
        grace_period_s=parse_integer("gracePeriodSeconds", given.get("gracePeriodSeconds", ""), None),
        orphan_dependents=_optional_boolean(given.get("orphanDependents")),
        parameters=tuple(pairs),
    )


def check_list(options: Options) -> None:
    """Raise ApiError (422) for parameters that do not go together in a list."""
    match, wrong = options.resource_version_match, []
    if match:
        if not options.resource_version:
            wrong.append(_forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if options.continue_token:
            wrong.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
        if match not in (EXACT, NOT_OLDER_THAN):
            wrong.append(FieldError.not_supported("resourceVersionMatch", match, ("", EXACT, NOT_OLDER_THAN)))
        if match == EXACT and options.resource_version == "0":
            wrong.append(_forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if options.send_initial_events is not None:
        wrong.append(FieldError.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    _refuse(wrong)


def check_watch(options: Options) -> None:
    """The same for a watch."""
    match, wrong = options.resource_version_match, []
    if options.send_initial_events is not None and match != NOT_OLDER_THAN:
        wrong.append(_forbidden(f"sendInitialEvents requires setting resourceVersionMatch to {NOT_OLDER_THAN}"))
    if match:
        if options.send_initial_events is None:
            wrong.append(_forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"))
        if match != NOT_OLDER_THAN:
            wrong.append(FieldError.not_supported("resourceVersionMatch", match, (NOT_OLDER_THAN,)))
        if options.continue_token:
            wrong.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
    _refuse(wrong)


def _forbidden(detail: str) -> FieldError:
    return FieldError.forbidden("resourceVersionMatch", detail)


def _refuse(wrong: Sequence[FieldError]) -> None:
    if wrong:
        raise errors.invalid("ListOptions", "", wrong, group="meta.k8s.io")


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


def parse_boolean(text: str | None) -> bool:
    """False for "false", "0" and what is not given; anything else is true, `?watch` without a value included."""
    return text is not None and text.lower() not in ("false", "0")


def parse_integer(name: str, text: str, default: int | None) -> int | None:
    """A whole number that is not negative."""
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise errors.bad_request(f'{name}: Invalid value: "{text}": must be a whole number, 0 or more')
    return int(text)


def delete_options(options: Options, body: bytes, content_type: str = JSON) -> tuple[Options, str, str]:
    """The options of a delete with those of its DeleteOptions body over them, and the uid and resourceVersion preconditions.

    Raises ApiError 400, and 415 for a body of an unknown media type.
    """
    if not body.strip():
        return options, "", ""
    given = codec.decode(DeleteOptions, as_json(body, content_type)[0])
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


def _optional_boolean(text: str | None) -> bool | None:
    return None if text is None else parse_boolean(text)
