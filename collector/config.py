"""What a collector can be told. The text below each setting gives its meaning and unit; docs are made of these."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from collector.patterns import LabelPattern, Pattern, platform_fault
from telemetry.settings import Broker, HttpUrl, Name, OptionalHttpUrl, Positive, Settings, once_each

Port = Annotated[int, Meta(ge=0, le=65535)]


class StoreConfig(Settings, frozen=True):
    """One long-term store, written besides the embedded series."""

    name: Name
    """Names the store in status, metrics and files."""
    kind: Literal["influxdb", "victoriametrics"]
    """What the server is; it is never guessed. VictoriaMetrics wants to be started with
    `-dedup.minScrapeInterval=1ms`."""
    url: HttpUrl
    """Base address, `http://host:port`."""
    api: Literal[1, 2, 3] = 1
    """InfluxDB: the API it is written by. VictoriaMetrics: 2 (`/api/v2/write`) or 1 (`/write`)."""
    database: str = "memfleet"
    """API 1 and 3: the database, made when missing."""
    bucket: str = "memfleet"
    """API 2: the bucket."""
    org: str = ""
    """API 2: the organisation."""
    token_file: str = ""
    """API 2 and 3: file that holds the token."""
    username: str = ""
    """API 1: user name; empty: none."""
    password_file: str = ""
    """API 1: file that holds the password."""
    prefix: str = "memfleet_"
    """Put before each kind to name its measurement."""
    batch_rows: Positive = 5000
    """Most readings in one request."""
    settle_s: Annotated[int, Meta(ge=0)] = 60
    """VictoriaMetrics: how long an accepted write is kept to be written again, seconds."""


class Peer(Settings, frozen=True):
    """Another collector of the same fleet, which owns other shards: the page shows its incidents with ours."""

    url: HttpUrl
    """Address of its page, for this collector and for browsers: links lead there."""
    token_file: str = ""
    """File that holds a token for it: its operator token, to acknowledge and silence over there too."""


class Page(Settings, frozen=True):
    """The page and the API."""

    host: str = "127.0.0.1"
    """Address to listen on. Any other than loopback wants the token files."""
    port: Port = 8080
    """Port to listen on; 0: any free one."""
    read_token_file: str = ""
    """File that holds the token for reading."""
    operator_token_file: str = ""
    """File that holds the token for acting (acknowledge, silence, retry)."""
    peers: tuple[Peer, ...] = ()


class IntakeSettings(Settings, frozen=True):
    """What agents may send."""

    series_per_agent: Positive = 200_000
    """Most different things (heaps, tasks, stacks ... of devices) that one agent may tell of; more is quarantined."""
    suspected_every_s: Positive = 10
    """Agents are asked to read a device with a fresh alert so often for a quarter of an hour, seconds."""


class Judging(Settings, frozen=True):
    """The judge."""

    rules_file: str = ""
    """TOML file of rules; empty: the set that ships."""
    settle_s: Positive = 600
    """An incident is over when nothing of it has fired for so long, seconds."""


class Route(Settings, frozen=True):
    """Channels of their own for some incidents: those of which one device's alert matches everything that is set."""

    urls: tuple[str, ...] = ()
    """Apprise addresses. Those with secrets belong in `url_file`."""
    url_file: str = ""
    """File with one apprise address a line."""
    severity: Literal["info", "warning", "critical"] = "info"
    """At least so severe."""
    rule: Pattern = "*"
    """Pattern (`*`, `?`, `[abc]`) of the rule's name."""
    platform: Pattern = "*"
    """Pattern of the device's platform."""
    firmware: Pattern = "*"
    """Pattern of the device's firmware."""
    device: Pattern = "*"
    """Pattern of the device's name."""
    labels: tuple[LabelPattern, ...] = ()
    """Labels that the device must carry, each as `name=pattern`."""

    def __post_init__(self) -> None:
        if fault := platform_fault(self.platform):
            raise ValueError(f"platform {fault}")


class Notify(Settings, frozen=True):
    """Whom to tell."""

    urls: tuple[str, ...] = ()
    """Apprise addresses (`ntfy://...`, `mailto://...`, `json://...`) that get everything. Those with secrets belong in
    `url_file`."""
    url_file: str = ""
    """File with one apprise address a line."""
    private_networks: tuple[str, ...] = ()
    """Networks (`192.168.1.0/24`) that messages may go to although they are private; public addresses always may."""
    mode: Literal["send", "shadow"] = "send"
    """shadow: judge and record, send nothing."""
    interval_s: Annotated[int, Meta(ge=0)] = 60
    """At most one message to each channel in so many seconds; what comes meanwhile is told together."""
    repeat_s: Annotated[int, Meta(ge=0)] = 14_400
    """An open incident that nobody acknowledged is told again after so many seconds; 0: never."""
    heartbeat_url: OptionalHttpUrl = ""
    """Outside address (of a dead man's switch) that is fetched while the judge judges; empty: none."""
    heartbeat_s: Positive = 60
    """How often it is fetched, seconds."""
    routes: tuple[Route, ...] = ()

    @property
    def tells(self) -> bool:
        """Whether there is anybody to tell, people or an outside watchdog."""
        return bool(self.urls or self.url_file or self.routes or self.heartbeat_url)


class Retention(Settings, frozen=True):
    """How long the embedded series and the journals are kept."""

    raw_days: Positive = 14
    """Every reading, days."""
    rollup_days: Positive = 365
    """Hourly least, most and last values, days."""
    series_max_mb: Positive = 20_000
    """Cap of the embedded series; the oldest readings go first, MiB."""
    journal_max_mb: Positive = 10_000
    """Quota of each journal: what a store that is down may miss before the oldest goes, counted, MiB."""


class CollectorConfig(Settings, frozen=True):
    """A collector: one fleet, or some shards of it."""

    fleet: Name = "fleet"
    """Name of the fleet; a level of every topic and a tag of every series."""
    name: Name = "collector"
    """Client name at the broker; one a collector."""
    data_dir: str = "/var/lib/memfleet"
    """Where journals, series and state stand."""
    shards: tuple[Annotated[str, Meta(pattern="^[0-9a-f]{2}$")], ...] | None = None
    """Shards to own, two hex digits each; unset: all."""
    silent_after_s: Positive = 300
    """A device that says nothing for so long is silent, seconds. Agents speak of themselves every 30 s, and have
    90."""
    broker: Broker = Broker()
    stores: tuple[StoreConfig, ...] = ()
    page: Page = Page()
    intake: IntakeSettings = IntakeSettings()
    judging: Judging = Judging()
    notify: Notify = Notify()
    retention: Retention = Retention()

    def __post_init__(self) -> None:
        once_each(store=[store.name for store in self.stores])
