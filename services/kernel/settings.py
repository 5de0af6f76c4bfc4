"""Settings. All come from the environment with the prefix `HUIYING_`, or from files of secrets.

Nothing else reads the environment, but `huiying import`, which takes its key from `HUIYING_KEY`, the file of
mailboxes, which may name variables with secrets, and the sender of traces, which OpenTelemetry's variables may give
the headers and certificates that a collector wants.
"""

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[2]


def _address(written: str) -> str:
    if not re.fullmatch(r"https?://[^\s?#]+", written):
        raise ValueError(f"{written!r} is no web address; write one such as https://huiying.example.gov.cn")
    return written


def _address_if_any(written: str) -> str:
    return _address(written) if written else written


def _issuer(written: str) -> str:
    """An issuer as the provider writes it. Plain HTTP is for a provider on this machine alone."""
    if written:
        host = urlsplit(_address(written)).hostname
        if not written.startswith("https://") and host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError(f"{written!r} is no HTTPS address; whoever is on the way could sign in as anybody")
    return written


def _networks(named: str) -> str:
    for one in filter(None, map(str.strip, named.split(","))):
        try:
            ipaddress.ip_network(one)
        except ValueError:
            raise ValueError(f"{one!r} is no address and no network; write 10.0.0.2 or 10.0.0.0/24") from None
    return named


def _file(named: Path | None) -> Path | None:
    if named is not None and not named.is_file():
        raise ValueError(f"there is no file {named}")
    return named


LOGO_BYTES = 200_000
"""The most bytes of a logo. Each reader of the bulletin loads it."""


def _logo(file: Path | None) -> Path | None:
    """A picture that readers' browsers show. An SVG could hold more than a picture, so it is none."""
    if file is None:
        return None
    if not file.is_file() or file.stat().st_size > LOGO_BYTES:
        raise ValueError(f"{file} is no file of at most {LOGO_BYTES} bytes; name one with the logo")
    if picture_type(file.read_bytes()) is None:
        raise ValueError(f"{file} is no PNG, JPEG or WebP picture; save the logo as one of these")
    return file


def picture_type(content: bytes) -> str | None:
    """The media type of a PNG, JPEG or WebP picture by its first bytes."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None


SECRETS = Path("/run/secrets")
"""Where containers find secrets as files. A file such as `huiying_kafka_password` gives a setting that the environment
leaves out."""


class Settings(BaseSettings):
    """One object for every service of a deployment.

    Without `database` and `kafka` the deployment is embedded, in `data`.
    """

    model_config = SettingsConfigDict(
        env_prefix="HUIYING_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        secrets_dir=SECRETS if SECRETS.is_dir() else None,
    )

    data: Path = Path("data")
    """Folder for the embedded databases, the files of reports and statements, the secret, the keys of tokens, and the
    lock."""
    database: str = ""
    """`postgresql+psycopg://user:password@host/huiying_{service}`: one database for each service."""
    kafka: str = ""
    """Bootstrap servers. This needs `database`, too."""
    kafka_tls: bool = False
    """Whether the brokers are reached over TLS. Their certificates must be of the names by which they are reached."""
    kafka_ca: Annotated[Path | None, AfterValidator(_file)] = None
    """The authority that signed the brokers' certificates, a PEM file. Without it, those that the system trusts."""
    kafka_user: str = ""
    """The name of this service on the brokers (SASL/SCRAM), with `kafka_password` and over TLS. Each service has one
    of its own, see `deploy/kafka/acls.sh`."""
    kafka_password: SecretStr = SecretStr("")
    """The password of that name."""
    kafka_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How the brokers check it."""
    cloudevents_topic: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9._-]{0,99})?$")] = ""
    """A topic of another system on `kafka`, with its whole name, from which ingest reads CloudEvents. Embedded, too."""
    cloudevents_key: Annotated[str, StringConstraints(pattern=r"^(key-[0-9a-f-]{36})?$")] = ""
    """The id of the integration's key in whose name they are taken in, as `huiying keys list` shows it; it is no
    secret."""
    mailboxes: Annotated[Path | None, AfterValidator(_file)] = None
    """A YAML file with the mailboxes of units whose mails become reports, see `docs/integrate.md`."""
    prefix: str = "huiying"
    """Prefix of every topic and consumer group."""
    deployment: str = "local"
    """Name of the deployment; part of each event's `source`."""
    partitions: int = Field(4, ge=1, le=256)
    """Partitions of every topic. The number stays the same as long as the topics exist."""
    replication: int = Field(1, ge=1)
    """On how many brokers each topic stands. It counts when a topic is made."""
    consumer: Literal["faust", "aiokafka"] = "faust"
    """The consumer that runs the streams on Kafka. Audit always runs on aiokafka."""
    secret: SecretStr = SecretStr("")
    """The secret from which the keys of digests are derived, at least 32 characters. Embedded: made once in
    `data/secret`."""
    token_keys: str = ""
    """Public keys of staff tokens: a JSON Web Key Set, or a file with one. Embedded: made in `data/token-keys.json`."""
    signing_key: Path | None = None
    """The private key of staff tokens, a PEM file; `data/signing-key.pem` by default. Services never read it."""
    policies: Path = ROOT / "policies"
    """Folder of the policy files: packs, units, lists."""
    host: str = "127.0.0.1"
    """The address on which HTTP is served."""
    port: int = 0
    """0: the standard port, 8400 embedded and 8401 to 8405 for the services."""
    public_url: Annotated[str, AfterValidator(_address)] = "http://127.0.0.1:8400"
    """The address under which the public reaches this deployment: every link and redirect begins with it. Without it, a
    service names its own port."""
    proxies: Annotated[str, AfterValidator(_networks)] = ""
    """Addresses or networks of the proxies in front, comma-separated. Only their word on the caller is believed
    (`X-Forwarded-For`, `X-Forwarded-Proto`)."""
    site_name: Annotated[str, StringConstraints(min_length=1, max_length=60)] = "回应公告"
    """The name of the bulletin."""
    site_contact: Annotated[str, StringConstraints(max_length=300)] = ""
    """Contact for readers of the bulletin: an office, a telephone number, an address."""
    site_logo: Annotated[Path | None, AfterValidator(_logo)] = None
    """The logo of the bulletin: a PNG, JPEG or WebP file of at most 200,000 bytes. It is read at the start."""
    cap_certificate: Path | None = None
    """The certificate of alerts (CAP), a PEM file. Without it and its key, alerts carry no signature."""
    cap_key: Path | None = None
    """The RSA key of that certificate, a PEM file."""
    channels_private: bool = False
    """Whether webhooks of units may lead into private networks, and go without TLS: for receivers in the office's own
    network, and for tests."""
    local_accounts: bool = True
    """Whether people may sign in to the console with a password of its own. Without it, a provider is needed."""
    oidc_issuer: Annotated[str, AfterValidator(_issuer)] = ""
    """The OpenID Connect provider at which people sign in to the console, exactly as it names itself. The provider must
    know two addresses of ours: `/console/provider/callback` below the public address, and for the end of a session
    `/console/sign-in`. It may know a third, for back-channel logout: `/console/provider/sign-out`."""
    oidc_client_id: str = ""
    """The name under which the provider knows this console."""
    oidc_client_secret: SecretStr = SecretStr("")
    """The secret of the client. A provider that takes public clients with PKCE needs none."""
    oidc_scopes: str = "openid profile"
    """What the console asks the provider for, separated by spaces."""
    oidc_title: Annotated[str, StringConstraints(min_length=1, max_length=30)] = "统一身份认证"
    """What the sign-in page calls the provider."""
    oidc_person_claim: str = "sub"
    """The claim that tells people apart, and never names another person later."""
    oidc_name_claim: str = "name"
    """The claim with the name. The person sees it at the top of each page, and administrators in the list of people."""
    oidc_posts_claim: str = ""
    """The claim with the posts: `duty_officer@town-east`, or `duty_officer` with the unit in another claim; one or a
    list."""
    oidc_unit_claim: str = ""
    """The claim with the code of the unit, for posts that name none."""
    oidc_groups_claim: str = "groups"
    """The claim with the groups that the mapping names."""
    oidc_mapping: Path | None = None
    """A YAML file with the posts of groups and of people, `groups:` and `people:`, each with lists of `post@unit`. It
    is read at each sign-in."""
    metrics_port: int = Field(0, ge=0, le=65535)
    """The port of the metrics of a consumer process and of the console, at `/metrics`; 0: none. The API of a service
    serves the metrics of its own process."""
    traces: Annotated[str, AfterValidator(_address_if_any)] = ""
    """The address of a collector that takes traces by OpenTelemetry's protocol over HTTP (OTLP), such as
    `http://127.0.0.1:4318`; `/v1/traces` is below it. Without it there are no traces."""
    traces_ratio: float = Field(1, ge=0, le=1)
    """The share of traces that are sent, alike for all processes: 0.1 is every tenth."""
    service_data: str = ""
    """Where the command line finds the data folders of the services, with `{service}` in it, for backups."""
    backup_keys: str = ""
    """Public keys of age (`age1…`), separated by commas, for which backups are encrypted."""
    services: str = "http://127.0.0.1:{port}"
    """Address of the services' APIs, with `{port}`, `{service}`, or both."""
    clock: Path | None = None
    """A file that moves the time of the deciders, for tests and the demo: an offset in seconds, or an instant at which
    the time stands still."""
    session_seconds: float = Field(10, ge=1)
    """How long the brokers wait for a silent consumer before another one takes its partitions. Brokers refuse less than
    their `group.min.session.timeout.ms`, 6 seconds by default."""
    lease_seconds: float = Field(15, ge=1)
    """How long the leader may be silent before another process takes over."""
    send_seconds: float = 30.0
    """How long the relay waits for the brokers' acknowledgement. Then it starts again with a new producer."""
    lock_seconds: float = Field(5, gt=0)
    """How long a statement waits for a lock. Then a request gets 503, and other work tries again."""
    answer_seconds: float = Field(20, gt=0)
    """How long the store may take for one request. Then the request gets 503."""
    outbox_limit: int = 200_000
    """With more unsent rows than this, commands get 503 until the log takes events again."""
    late_entry: timedelta = Field(timedelta(days=30), gt=timedelta())
    """How old a discovery may be when its report comes in, as `P30D`. An older one is marked as entered late."""
    report_limit: int = 1_000_000
    """The most bytes of one request body or one line of a batch."""
    imports_at_once: int = Field(4, ge=1)
    """How many files of reports one process takes in at the same time."""
    workbook_limit: int = Field(100_000_000, ge=1)
    """The most bytes of one workbook (XLSX) of reports. It may unpack to twenty times as many."""
    import_refused_limit: int = Field(5_000_000, ge=0)
    """The most bytes of refused rows that one answer to a file shows. The others are counted."""
    evidence_limit: int = 20_000_000
    """The most bytes of one evidence file."""
    evidence_pixels: int = Field(50_000_000, ge=1)
    """The most pixels of one picture, all frames together."""
    evidence_pages: int = Field(300, ge=1)
    """The most pages of one document of evidence."""
    attachment_limit: int = 20_000_000
    """The most bytes of one file of a statement."""
    attachment_pages: int = Field(300, ge=1)
    """The most pages of one document of a statement."""
    log_origin: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._~:/\[\]-]{0,200}$")] = ""
    """The name of the log of all events, for its first key: a web address without its scheme, which nobody else has.
    Without it, that of the log below the public address. Later it stays as it is."""
    checkpoint_seconds: float = Field(60, gt=0)
    """How long new events wait at most for a signed checkpoint."""
    checkpoint_events: int = Field(10_000, ge=1)
    """With so many new events, a checkpoint is signed at once."""
    witnesses: str = ""
    """Witnesses that cosign each checkpoint, separated by semicolons: for each the address below which it takes
    `add-checkpoint`, a space, and its key as it says it (`name+number+key`)."""
    message_key: int = Field(1, ge=1)
    """The number of the key that signs messages to other deployments. List the public key of another number there
    before it is used, see `docs/between.md`."""
    peers_ca: Annotated[Path | None, AfterValidator(_file)] = None
    """The authority that signed the certificates of other deployments and of witnesses, a PEM file. Without it, those
    that the system trusts."""
    probe_key: SecretStr = SecretStr("")
    """The key with which `huiying probe` tells of outages, of the scope `probe`. Without it, the probe tells nobody."""
    probe_ingest: Annotated[str, AfterValidator(_address_if_any)] = ""
    """Where integrations reach ingest, if that is not below the public address. The probe tells there."""
    probe_log: Annotated[str, AfterValidator(_address_if_any)] = ""
    """Where the log of all events is reached, if that is not below the public address."""
    probe_seconds: float = Field(60, ge=1, le=86_400)
    """How often the probe looks."""
    probe_failures: int = Field(3, ge=1)
    """How many rounds in a row something must be bad to be an outage, and good to be over."""
    probe_timeout: float = Field(10, gt=0, le=3_600)
    """How many seconds the probe waits for a whole answer."""
    probe_beside: Annotated[str, AfterValidator(_address_if_any)] = ""
    """An address elsewhere, such as that of the provider. While neither it nor the deployment answers, the probe is
    itself without a network, and judges nothing."""
    probe_ca: Annotated[Path | None, AfterValidator(_file)] = None
    """The authority that signed the certificate of the public address, a PEM file. Without it, those that the system
    trusts."""
    backups: Path | None = None
    """The folder below which backups are made, each in a folder of its own. `/metrics` of audit tells the age of the
    newest."""
    log_format: Literal["console", "json"] = "console"
    """Lines of the log for people, or as JSON."""
    log_level: Annotated[Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(str.lower)] = "info"
    """The least level that is logged."""

    @model_validator(mode="after")
    def _can_reach_brokers(self) -> Self:
        if bool(self.kafka_user) != bool(self.kafka_password.get_secret_value()):
            raise ValueError("set both HUIYING_KAFKA_USER and HUIYING_KAFKA_PASSWORD, or neither")
        if self.kafka_user and not self.kafka_tls:
            raise ValueError(
                "without TLS whoever is on the way reads what is sent under the name; set HUIYING_KAFKA_TLS=true"
            )
        if self.kafka_ca is not None and not self.kafka_tls:
            raise ValueError("HUIYING_KAFKA_CA is of no use without HUIYING_KAFKA_TLS=true; set both, or neither")
        return self

    @model_validator(mode="after")
    def _can_read_cloudevents(self) -> Self:
        if bool(self.cloudevents_topic) != bool(self.cloudevents_key):
            raise ValueError("set both HUIYING_CLOUDEVENTS_TOPIC and HUIYING_CLOUDEVENTS_KEY, or neither")
        if self.cloudevents_topic and not self.kafka:
            raise ValueError("HUIYING_CLOUDEVENTS_TOPIC needs HUIYING_KAFKA, the brokers that hold the topic")
        return self

    @model_validator(mode="after")
    def _can_sign_alerts(self) -> Self:
        if (self.cap_certificate is None) != (self.cap_key is None):
            raise ValueError("set both HUIYING_CAP_CERTIFICATE and HUIYING_CAP_KEY, or neither")
        return self

    @model_validator(mode="after")
    def _can_sign_in(self) -> Self:
        if not self.oidc_issuer:
            if not self.local_accounts:
                raise ValueError("without local accounts nobody can sign in; set HUIYING_OIDC_ISSUER")
            return self
        if not self.oidc_client_id:
            raise ValueError("set HUIYING_OIDC_CLIENT_ID to the name under which the provider knows this console")
        if not self.oidc_posts_claim and self.oidc_mapping is None:
            raise ValueError(
                "set HUIYING_OIDC_POSTS_CLAIM or HUIYING_OIDC_MAPPING, which say what posts people of the provider hold"
            )
        if "openid" not in self.oidc_scopes.split():
            raise ValueError("HUIYING_OIDC_SCOPES needs openid among its words")
        return self

    @property
    def embedded(self) -> bool:
        return not self.database

    def reached_at(self, address: str) -> "Settings":
        """These settings with this public address, unless one is set."""
        return self if "public_url" in self.model_fields_set else self.model_copy(update={"public_url": address})

    def link(self, path: str = "") -> str:
        """The full address of a path, as the public reaches it."""
        return f"{self.public_url.rstrip('/')}/{path}"

    def topic(self, name: str) -> str:
        """The full name of a topic of the catalogue: `huiying.triage.incident`."""
        return f"{self.prefix}.{name}"

    def source(self, service: str) -> str:
        """The CloudEvents source of a service's events."""
        return f"/huiying/{self.deployment}/{service}"
