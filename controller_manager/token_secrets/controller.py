"""Informers, queue and writes around `core`.

A Secret is often made together with its account, and may be seen first. So before a Secret is deleted for want of its account,
the account is read from the API; and what is deleted is that very state of the Secret.
"""

from apiclient.client import EventType
from apiclient.informer import key_of
from apimachinery.errors import ApiError, is_conflict, is_not_found
from apimachinery.kinds import Secret, ServiceAccount
from controller_manager.shared.context import Context
from controller_manager.shared.loop import Controller
from controller_manager.token_secrets import core


class TokenSecretController(Controller):
    """Keeps Secrets with tokens; keys are Secrets. `certificate` is the cluster's CA in PEM, "" for none."""

    name = "token-secrets"

    def __init__(self, context: Context, *, certificate: str, sign: core.Sign) -> None:
        super().__init__(context)
        self._certificate = certificate
        self._sign = sign
        self._secrets = context.informers.secrets.store
        self._accounts = context.informers.service_accounts.store
        context.informers.secrets.on_event(self._on_secret)
        context.informers.service_accounts.on_event(self._on_account)

    def resync(self) -> None:
        for secret in self._secrets.list():
            self._enqueue(secret)

    async def reconcile(self, key: str) -> None:
        secret = self._secrets.get(key)
        name = None if secret is None or secret.metadata.deletion_timestamp is not None else core.account_of(secret)
        if secret is None or not name:
            return
        try:
            account = await self._account(secret, name)
            if account is None or not core.is_for(secret, account):
                await self._delete(secret)
                return
            wanted = core.filled(secret, account, self._certificate, self._sign)
            if wanted is not secret:
                await self._client.update(wanted)
        except ApiError as error:
            # gone, or changed meanwhile: its event brings the key back
            if not is_not_found(error) and not is_conflict(error):
                raise

    async def _account(self, secret: Secret, name: str) -> ServiceAccount | None:
        namespace = secret.metadata.namespace
        known = self._accounts.get_by(name, namespace)
        if core.is_for(secret, known):
            return known
        try:
            return await self._client.get(ServiceAccount, name, namespace)
        except ApiError as error:
            if not is_not_found(error):
                raise
            return None

    async def _delete(self, secret: Secret) -> None:
        meta = secret.metadata
        await self._client.delete(Secret, meta.name, meta.namespace, uid=meta.uid, resource_version=meta.resource_version)

    def _enqueue(self, secret: Secret) -> None:
        if core.account_of(secret):
            self.queue.add(key_of(secret))

    def _on_secret(self, event: EventType, old: Secret | None, new: Secret | None) -> None:
        if new is not None:
            self._enqueue(new)

    def _on_account(self, event: EventType, old: ServiceAccount | None, new: ServiceAccount | None) -> None:
        account = new or old
        if account is None:
            return
        for secret in self._secrets.list(account.metadata.namespace):
            if core.account_of(secret) == account.metadata.name:
                self._enqueue(secret)
