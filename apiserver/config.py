"""The API server's configuration file, `kind: ApiServerConfiguration`."""

from component_base.config import Configuration, Section


class RestConfig(Section, frozen=True):
    """Where REST is served: address:port, and listening sockets that the process was given."""

    address: str = "127.0.0.1"
    port: int = 6443
    listen_fds: list[int] = []


class GrpcConfig(Section, frozen=True):
    """Where gRPC is served."""

    address: str = "127.0.0.1"
    port: int = 6444


class TlsConfig(Section, frozen=True):
    """The serving certificate of both doors, and the CA whose client certificates get in."""

    cert_file: str
    key_file: str
    client_ca_file: str


class StorageConfig(Section, frozen=True):
    """`backend`: etcd or memory; endpoints are `host:port`; without a caFile etcd is spoken to in the clear."""

    backend: str = "etcd"
    endpoints: list[str] = []
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    prefix: str = "/registry"

    def __post_init__(self) -> None:
        if self.backend not in ("etcd", "memory"):
            raise ValueError(f"backend {self.backend!r} is neither etcd nor memory")
        if self.backend == "etcd" and not self.endpoints:
            raise ValueError("backend etcd needs endpoints")
        if not self.prefix.startswith("/") or self.prefix.endswith("/"):
            raise ValueError("prefix begins with a slash and does not end with one")


class KubeletClientConfig(Section, frozen=True):
    """The API server's own certificate towards kubelets."""

    ca_file: str
    cert_file: str
    key_file: str


class ServiceAccountConfig(Section, frozen=True):
    """Tokens of ServiceAccounts: who signs them, whose count, and for how long.

    issuer: who all tokens say has signed them, a URL; signing_key_file: a private key in PEM, which need not be an RSA one;
    key_files: further keys whose tokens count, such as the last one in use; api_audiences: for whom tokens are unless somebody
    else is asked for, the issuer by default. extend_token_expiration: tokens of pods outlive the hour that they say, for
    programs that read them only once. jwks_uri: where the keys can be had, if not at this server.
    """

    issuer: str
    signing_key_file: str
    key_files: list[str] = []
    api_audiences: list[str] = []
    max_token_expiration_seconds: int = 0
    extend_token_expiration: bool = True
    jwks_uri: str = ""

    def __post_init__(self) -> None:
        if not self.issuer:
            raise ValueError("issuer must not be empty")
        if self.jwks_uri and not self.jwks_uri.startswith("https://"):
            raise ValueError("jwksUri must be an https URL")
        most = self.max_token_expiration_seconds
        if most and not 3600 <= most <= 1 << 32:
            raise ValueError("maxTokenExpirationSeconds must lie between an hour and 2^32 seconds")


class RequestHeaderConfig(Section, frozen=True):
    """The API server's own certificate towards aggregated API servers, which believe what it says of its users.

    caFile: what that certificate is signed by, and allowedNames its common names: published for those servers.
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    allowed_names: list[str] = []


class LimitsConfig(Section, frozen=True):
    """Requests at work and waiting, reads and writes apart, in each flow; a list without a limit counts as eight."""

    reads_in_flight: int = 400
    reads_waiting: int = 4_000
    writes_in_flight: int = 400
    writes_waiting: int = 4_000


class ApiServerConfiguration(Configuration, frozen=True):
    """The whole file. Without `serviceAccount` tokens are neither given out nor taken, and pods get none."""

    rest: RestConfig
    grpc: GrpcConfig
    tls: TlsConfig
    storage: StorageConfig
    kubelet_client: KubeletClientConfig
    advertise_address: str
    service_cidr: str = "10.96.0.0/16"
    node_port_range: str = "30000-32767"
    event_ttl_seconds: int = 3600
    default_toleration_seconds: int = 5
    limits: LimitsConfig = LimitsConfig()
    service_account: ServiceAccountConfig | None = None
    request_header: RequestHeaderConfig = RequestHeaderConfig()
