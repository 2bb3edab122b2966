"""What is called how about ServiceAccounts: the users that they are, and the Secrets and ConfigMaps around their tokens.

Shared by those who give tokens out, who take them, and who put them into pods.
Source: the Kubernetes pages "Managing Service Accounts" and "Service Accounts".
"""

DEFAULT = "default"
"""The account that each namespace has, and that pods run as which name no other."""
USERNAME_PREFIX = "system:serviceaccount:"
GROUP = "system:serviceaccounts"

POD_NAME = "authentication.kubernetes.io/pod-name"
POD_UID = "authentication.kubernetes.io/pod-uid"
NODE_NAME = "authentication.kubernetes.io/node-name"
NODE_UID = "authentication.kubernetes.io/node-uid"
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"

SECRET_TYPE = "kubernetes.io/service-account-token"
"""Of Secrets that hold a token which does not expire."""
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"
"""Annotations of such a Secret: whose token it holds."""
TOKEN_KEY, CA_KEY, NAMESPACE_KEY = "token", "ca.crt", "namespace"
"""What such a Secret holds, and the files that a pod finds at MOUNT_PATH."""

ROOT_CA = "kube-root-ca.crt"
"""The ConfigMap of each namespace by which pods verify the API server."""
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
MIRROR_POD = "kubernetes.io/config.mirror"
"""The annotation of a pod that only shows one which a node runs from a file."""

LEGACY_ISSUER = "kubernetes/serviceaccount"
LEGACY_NAMESPACE = "kubernetes.io/serviceaccount/namespace"
LEGACY_SECRET = "kubernetes.io/serviceaccount/secret.name"
LEGACY_ACCOUNT = "kubernetes.io/serviceaccount/service-account.name"
LEGACY_ACCOUNT_UID = "kubernetes.io/serviceaccount/service-account.uid"


def username(namespace: str, name: str) -> str:
    """The user that an account is."""
    return f"{USERNAME_PREFIX}{namespace}:{name}"


def groups(namespace: str) -> tuple[str, ...]:
    """The groups that a namespace's accounts are in."""
    return GROUP, f"{GROUP}:{namespace}"


def legacy_claims(namespace: str, account: str, account_uid: str, secret: str) -> dict[str, str]:
    """What the token in a Secret says: no audience and no end, it counts as long as the Secret holds it."""
    return {
        "iss": LEGACY_ISSUER,
        LEGACY_NAMESPACE: namespace,
        LEGACY_SECRET: secret,
        LEGACY_ACCOUNT: account,
        LEGACY_ACCOUNT_UID: account_uid,
        "sub": username(namespace, account),
    }
