"""Every setting of Raceway, typed, from file, environment and flags; built once by the command line and handed down."""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from app.access.roles import Role
from app.alarms.conditions import Conditions
from app.crontimes import cron_fields
from app.labels.closures import Closure, built_in_closures, load_closures
from app.secrecy import HIDDEN, shown_url
from app.windower import WindowerConfig
from app.wire import Limits
from features.bearing import BEARINGS, Bearing, load_bearings
from features.errors import ParameterError
from features.iso20816 import LIMITS, load_limits
from features.iso20816 import Limits as ZoneLimits
from models.alarm import AlarmConfig
from models.tail import FALSE_ALARM_RATE, LARGEST_RATE

__all__ = ["Origin", "Settings", "Shown", "load_settings"]


Origin = Literal["default", "file", "environment", "flag"]
_ORIGINS = "RACEWAY_ORIGINS"


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting as it may be shown, with where its value comes from."""

    name: str
    value: str
    origin: Origin
    description: str


class Settings(BaseSettings):
    """Settings; each is also ``RACEWAY_<NAME>`` in the environment and a key of ``raceway.toml``."""

    model_config = SettingsConfigDict(env_prefix="RACEWAY_", frozen=True, extra="ignore", toml_file="raceway.toml")

    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)

    data_dir: Path = Field(Path("raceway-data"), description="Folder of the database, bundles, logs and broker state")
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in the data folder", repr=False)
    bundles_dir: Path | None = Field(None, description="Folder of trained bundles; empty: in the data folder")

    broker_url: str = Field(
        "", description="mqtt://host:port or mqtts://host:port; empty: the embedded broker", repr=False
    )
    broker_user: str = Field("", description="User name at the broker")
    broker_password: str = Field("", description="Password at the broker", repr=False)
    broker_ca: Path | None = Field(None, description="CA certificate file for mqtts; empty: the system's")
    broker_cert: Path | None = Field(None, description="Client certificate file for mqtts")
    broker_key: Path | None = Field(None, description="Client key file for mqtts")
    embedded_broker: Literal["auto", "mosquitto", "amqtt"] = Field("auto", description="Which broker `up` starts")
    embedded_port: int = Field(1883, ge=0, le=65535, description="Loopback port of the embedded broker; 0: a free one")
    client_id: str = Field("raceway-ingest", min_length=1, description="MQTT client of ingest; names its session")
    receive_maximum: int = Field(512, ge=1, le=65535, description="Messages in flight to ingest before it acknowledges")

    batch_blocks: int = Field(128, ge=1, le=4096, description="Most blocks in one transaction")
    window_samples: int = Field(4096, description="Samples of a window; a multiple of 16")
    overlap: float = Field(0.5, description="Share of a window that the next one repeats")
    max_held: int = Field(8, ge=0, description="Blocks that wait for a missing one before it is given up")
    baseline_windows: int = Field(120, ge=32, description="Healthy windows a new point learns from")
    false_alarm_rate: float = Field(
        FALSE_ALARM_RATE, gt=0.0, le=LARGEST_RATE, description="Share of healthy windows that may pass the threshold"
    )
    keep_waveforms_h: float = Field(
        6.0, gt=0.0, description="Hours that waveforms are kept; those around alarms and judged ones for ever"
    )
    keep_reports_h: float = Field(
        168.0, gt=0.0, description="Hours that all reports of nodes are kept; then one an hour, alarms' ones for ever"
    )
    keep_events_h: float = Field(720.0, gt=0.0, description="Hours that logs and other events of nodes are kept")
    keep_retraining_reports_d: float = Field(
        400.0, gt=0.0, description="Days that the pages of retraining runs are kept; their figures stay"
    )

    alarm_raise_after: int = Field(3, description="Windows in a row above the threshold that raise an alarm")
    alarm_clear_after: int = Field(10, description="Windows in a row well below it that clear the alarm")
    alarm_clear_ratio: float = Field(
        0.8, gt=0.0, le=1.0, description="Share of the threshold that counts as well below"
    )

    alarm_on_delay_s: float = Field(0.0, description="Seconds above the threshold that raise an alarm, at least")
    alarm_off_delay_s: float = Field(0.0, description="Seconds well below it that clear the alarm, at least")
    alarm_severity: Literal["C", "D", "none"] = Field(
        "C", description="Zone of ISO 20816 from which on machines whose group is known alarm"
    )
    alarm_severity_on_delay_s: float = Field(10.0, description="Seconds in such a zone that raise the alarm, at least")
    alarm_rise_of: Literal["score", "velocity"] = Field("score", description="What may not rise too fast")
    alarm_rise_limit: float = Field(
        0.0, description="Largest rise a day that is none, in thresholds or mm/s; 0: rises do not alarm"
    )
    alarm_rise_span_s: float = Field(604_800.0, description="Seconds over which a rise is taken")

    retrain_schedule: str = Field(
        "30 3 * * *", description="When `up` retrains, as five fields of cron in UTC; empty: never"
    )
    retrain_windows: int = Field(480, ge=96, description="Healthy windows of a point that a challenger learns from")
    retrain_judged_windows: int = Field(
        120, ge=32, description="Frozen and recent healthy windows each that champion and challenger are judged on"
    )
    retrain_alarm_margin_s: float = Field(
        600.0, ge=0.0, description="Seconds around an alarm in which no window counts as healthy"
    )
    retrain_nodes: bool = Field(
        default=False, description="Whether the network that nodes judge health with is retrained too, of all machines"
    )
    candidate_key: Path | None = Field(
        None, description="Private key (.pem) that signs what retraining hands over to nodes; empty: somebody signs it"
    )
    retrain_kinds: bool = Field(
        default=True, description="Whether the network that names fault kinds is retrained by what people said"
    )
    retrain_kinds_simulated: int = Field(
        40_000, ge=80, description="Simulated windows that a challenger for naming fault kinds learns from"
    )
    retrain_processes: int = Field(
        1, ge=1, le=64, description="Processes that retrain side by side; each holds some 700 MB"
    )
    retrain_stale_s: float = Field(
        900.0, gt=0.0, description="Silence of a retraining after which another one takes its lock over"
    )

    stale_after_s: float = Field(3600.0, ge=0.0, description="Silence of a point that raises its `no data`; 0: never")

    notify_broker: bool = Field(default=True, description="Whether the broker is told how alarms stand, for SCADA")
    notify_webhook: str = Field("", description="URL that is told of new alarms; empty: none", repr=False)
    notify_mail_to: str = Field("", description="Addresses that are mailed new alarms, by comma; empty: none")
    notify_mail_from: str = Field("raceway@localhost", description="Sender of these mails")
    notify_quiet_s: float = Field(600.0, ge=0.0, description="How long an alarm raised again is not told again")
    smtp_url: str = Field(
        "smtp://127.0.0.1:25", description="smtp://host:port (STARTTLS if offered) or smtps://", repr=False
    )
    smtp_user: str = Field("", description="User name at the mail server")
    smtp_password: str = Field("", description="Password at the mail server; sent elsewhere over TLS only", repr=False)

    workorder_webhook: str = Field("", description="URL that work orders are posted to; empty: none", repr=False)
    workorder_token: str = Field(
        "", description="What a maintenance system shows to close work orders over HTTP; empty: it cannot", repr=False
    )
    workorder_codes: Path | None = Field(None, description="TOML table of closure codes, in place of the built-in one")

    gateway_store_mb: int = Field(
        1024, ge=1, description="Megabytes that a gateway keeps for a broker that is away; then nodes have to wait"
    )

    iso_limits: Path | None = Field(None, description="TOML table of severity zones, laid over the built-in one")
    bearing_library: Path | None = Field(None, description="TOML library of bearings, laid over the built-in one")

    max_payload: int = Field(1 << 20, ge=1024, description="Largest admitted payload in bytes")
    min_rate_hz: float = Field(10.0, gt=0.0, description="Lowest admitted sampling rate")
    max_rate_hz: float = Field(1e6, gt=0.0, description="Highest admitted sampling rate")
    clock_ahead_s: float = Field(86_400.0, ge=0.0, description="How far a time stamp may be ahead of the clock")
    clock_behind_s: float = Field(31 * 86_400.0, ge=0.0, description="How far a time stamp may be behind the clock")

    console_host: str = Field("127.0.0.1", description="Address the console listens on")
    console_port: int = Field(8501, ge=1, le=65535, description="Port the console listens on")
    users_file: Path | None = Field(None, description="Password file of the console; empty: in the data folder")
    session_h: float = Field(12.0, gt=0.0, le=720.0, description="Hours until the console asks for the password again")
    oidc_claim: str = Field(
        "email", min_length=1, description="Claim of the identity provider that says the role, such as `groups`"
    )
    oidc_roles: dict[str, Role] = Field(
        default={}, description="Role by value of that claim, as JSON; empty: the claim names the role itself"
    )
    metrics_host: str = Field("127.0.0.1", description="Address that Prometheus collects figures from")
    metrics_port: int = Field(
        9464, ge=0, le=65535, description="Port of these figures under /metrics, which `up` serves; 0: none"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe event logged")

    @field_validator("broker_url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in ("mqtt", "mqtts") or not parts.hostname):
            raise ValueError(f"{shown_url(url)!r} is no mqtt://host[:port] or mqtts://host[:port]")
        return url

    @field_validator("retrain_schedule")
    @classmethod
    def _times_of_cron(cls, schedule: str) -> str:
        if schedule:
            cron_fields(schedule)
        return schedule

    @field_validator("notify_webhook", "workorder_webhook")
    @classmethod
    def _web_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError(f"{shown_url(url, hook=True)!r} is no http:// or https:// address")
        return url

    @field_validator("smtp_url")
    @classmethod
    def _mail_server(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError(f"{shown_url(url)!r} is no smtp://host[:port] or smtps://host[:port]")
        return url

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        self.windower()
        self.conditions()
        self.zone_limits()
        self.bearings()
        self.closures()
        if self.min_rate_hz > self.max_rate_hz:
            raise ValueError("min_rate_hz is above max_rate_hz")
        if (self.broker_cert is None) != (self.broker_key is None):
            raise ValueError("broker_cert and broker_key belong together")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags before environment before file."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def windower(self) -> WindowerConfig:
        """Give how windows are cut."""
        return WindowerConfig(window_samples=self.window_samples, overlap=self.overlap, max_held=self.max_held)

    def alarm(self) -> AlarmConfig:
        """Give when the alarms of scores are raised and cleared."""
        return self.conditions().alarm

    def conditions(self) -> Conditions:
        """Give what alarms at a point of which nothing else was entered."""
        return Conditions(
            raise_after=self.alarm_raise_after,
            clear_after=self.alarm_clear_after,
            dead_band=1.0 - self.alarm_clear_ratio,
            on_delay_s=self.alarm_on_delay_s,
            off_delay_s=self.alarm_off_delay_s,
            severity=self.alarm_severity,
            severity_on_delay_s=self.alarm_severity_on_delay_s,
            rise_of=self.alarm_rise_of,
            rise_limit=self.alarm_rise_limit,
            rise_span_s=self.alarm_rise_span_s,
            stale_after_s=self.stale_after_s,
        )

    def limits(self) -> Limits:
        """Give what an admissible block stays within."""
        return Limits(
            max_payload=self.max_payload,
            min_rate_hz=self.min_rate_hz,
            max_rate_hz=self.max_rate_hz,
            ahead_s=self.clock_ahead_s,
            behind_s=self.clock_behind_s,
        )

    def zone_limits(self) -> dict[str, ZoneLimits]:
        """Read the severity zones by machine group: the built-in ones, and over them those of the user's own table."""
        return LIMITS if self.iso_limits is None else load_limits(self.iso_limits)

    def closures(self) -> dict[str, Closure]:
        """Read what closure codes of work orders say: the built-in table, or the user's own."""
        return built_in_closures() if self.workorder_codes is None else load_closures(self.workorder_codes)

    def bearings(self) -> dict[str, Bearing]:
        """Read the bearings by designation: the built-in ones, and over them those of the user's own library."""
        return BEARINGS if self.bearing_library is None else load_bearings(self.bearing_library)

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'raceway.db'}"

    @property
    def bundles(self) -> Path:
        """Folder of trained bundles."""
        return self.bundles_dir or self.data_dir / "bundles"

    @property
    def users(self) -> Path:
        """The password file of the console."""
        return self.users_file or self.data_dir / "users.json"

    @property
    def reports(self) -> Path:
        """Folder of the reports of retraining."""
        return self.data_dir / "reports"

    @property
    def candidates(self) -> Path:
        """Folder of networks that are ready to be signed and rolled out to nodes."""
        return self.data_dir / "candidates"

    @property
    def broker(self) -> str:
        """URL of the broker in use."""
        return self.broker_url or f"mqtt://127.0.0.1:{self.embedded_port}"

    def environment(self) -> dict[str, str]:
        """Give every setting as environment variables, for child processes, and where each came from."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        told = {f"RACEWAY_{name.upper()}": _text(value) for name, value in values.items() if value is not None}
        return told | {_ORIGINS: json.dumps(self._origins)}

    def shown(self) -> list[Shown]:
        """Give every setting as it may be shown: without passwords, tokens and what is secret in an address."""
        return [
            Shown(
                name,
                _masked(name, getattr(self, name), info),
                self._origins.get(name, "default"),
                info.description or "",
            )
            for name, info in type(self).model_fields.items()
        ]


def _masked(name: str, value: object, info: FieldInfo) -> str:
    text = "" if value is None else _text(value)
    if "://" in text:
        return shown_url(text, hook=name.endswith("_webhook"))
    return HIDDEN if text and not info.repr else text


def _written() -> dict[str, Any]:
    """Read what the file says; refuses names that are none: a setting that was mistyped would not hold, unsaid."""
    path = Path("raceway.toml")
    written = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    unknown = [_unknown(name) for name in written if name not in Settings.model_fields]
    if unknown:
        raise ParameterError(f"raceway.toml is not admissible: {'; '.join(unknown)}")
    return written


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name.lower().removeprefix("raceway_"), Settings.model_fields, n=1)
    return f"no setting is called {name!r}" + (f", the nearest one is {near[0]!r}" if near else "")


def _origins_of(flags: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Origin]:
    """Say where each setting comes from; a child is told by its parent, which gives it everything."""
    told: dict[str, Origin] = json.loads(os.environ.get(_ORIGINS, "{}"))
    named = {name.upper() for name in os.environ}

    def origin(name: str) -> Origin:
        if name in flags:
            return "flag"
        if name in told:
            return told[name]
        return "environment" if f"RACEWAY_{name.upper()}" in named else "file" if name in written else "default"

    return {name: origin(name) for name in Settings.model_fields}


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)


def load_settings(**flags: Any) -> Settings:
    """Build the settings; flags that are None are left to file and environment.

    Raises
    ------
    ParameterError
        If a value is not admissible, or the file has a key that is no setting; the message names each.
    """
    try:
        given = {name: value for name, value in flags.items() if value is not None}
        written = _written()
        settings = Settings(**given)
        settings._origins.update(_origins_of(given, written))
        return settings
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        raise ParameterError(f"settings are not admissible: {faults}") from error
    except ParameterError:
        raise
    except ValueError as error:
        raise ParameterError(f"raceway.toml cannot be read: {error}") from error
