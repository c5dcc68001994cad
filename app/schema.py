"""The tables of the store, as SQLAlchemy Core metadata; migrations make them, a test holds the two together."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

__all__ = [
    "alarm_journal",
    "alarm_tags",
    "alarms",
    "asset_machines",
    "asset_points",
    "audit",
    "blocks",
    "champions",
    "counters",
    "forecasts",
    "frozen_windows",
    "gateways",
    "labels",
    "metadata",
    "node_events",
    "node_reports",
    "nodes",
    "notice_channels",
    "points",
    "promotions",
    "quarantine",
    "retraining_asks",
    "retraining_lock",
    "retraining_runs",
    "retraining_tasks",
    "rollout_log",
    "rollout_members",
    "rollouts",
    "sessions",
    "windows",
    "work_orders",
]

metadata = MetaData()

# SQLite numbers rows by an INTEGER primary key only; PostgreSQL wants 64 bits.
_Id = BigInteger().with_variant(Integer, "sqlite")
# Rows of blocks stay for ever, most of them without their samples.
_KEPT = text("waveform IS NOT NULL")

points = Table(
    "points",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("bearing", String),
    Column("nominal_shaft_hz", Float),
    Column("rate_hz", Float),
    Column("unit", String(8)),
    Column("channels", String),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("baseline_have", Integer, nullable=False),
    Column("baseline_after", BigInteger, nullable=False),
    Column("contract", String(32)),
    Column("bundle", String(200)),
    Column("failure", String),
    Column("windower", LargeBinary),
    Column("alarm", String),
    Column("seen_ns", BigInteger),
    Column("score", Float),
    Column("threshold", Float),
    Column("window_start_ns", BigInteger),
    Column("iso_group", String(64)),
)

blocks = Table(
    "blocks",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("point_id", ForeignKey("points.id"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("arrived_ns", BigInteger, nullable=False),
    Column("rate_hz", Float, nullable=False),
    Column("sample_type", String(4), nullable=False),
    Column("scale", Float, nullable=False),
    Column("n_samples", Integer, nullable=False),
    Column("n_channels", Integer, nullable=False),
    Column("shaft_hz", Float),
    Column("load", Float),
    Column("temperature_c", Float),
    Column("digest", LargeBinary(16), nullable=False),
    Column("waveform", LargeBinary),
    UniqueConstraint("point_id", "sequence", "start_ns", name="one_block"),
    Index("blocks_by_end", "point_id", "end_ns"),
    Index("kept_by_end", "point_id", "end_ns", sqlite_where=_KEPT, postgresql_where=_KEPT),
    Index("kept_by_arrival", "arrived_ns", sqlite_where=_KEPT, postgresql_where=_KEPT),
)

windows = Table(
    "windows",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("point_id", ForeignKey("points.id"), nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("rate_hz", Float, nullable=False),
    Column("shaft_hz", Float),
    Column("load", Float),
    Column("rms", Float, nullable=False),
    Column("contract", String(32), nullable=False),
    Column("features", LargeBinary, nullable=False),
    Column("score", Float),
    Column("threshold", Float),
    Column("bundle", String(200)),
    Column("probabilities", String),
    Column("diagnosis_bundle", String(200)),
    Index("windows_by_start", "point_id", "start_ns"),
)

alarms = Table(
    "alarms",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("point_id", ForeignKey("points.id"), nullable=False),
    Column("raised_ns", BigInteger, nullable=False),
    Column("cleared_ns", BigInteger),
    Column("window_start_ns", BigInteger, nullable=False),
    Column("ratio", Float, nullable=False),
    Column("kind", String(32)),
    Column("probabilities", String),
    # Whose verdict it is: the server's (`health`) or the node's own.
    Column("tag", String(32), nullable=False, server_default="health"),
    Index("alarms_by_raise", "point_id", "raised_ns"),
)

# What can alarm at a point, and how each stands; `alarms` has every time that one was raised.
alarm_tags = Table(
    "alarm_tags",
    metadata,
    Column("point_id", ForeignKey("points.id"), primary_key=True),
    Column("tag", String(32), primary_key=True),
    Column("priority", String(8), nullable=False),
    Column("state", String(24), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger),
)

# Every step of every alarm; rows are never changed.
alarm_journal = Table(
    "alarm_journal",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("point_id", ForeignKey("points.id"), nullable=False),
    Column("tag", String(32), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("action", String(24), nullable=False),
    Column("who", String(200), nullable=False),
    Column("why", String, nullable=False),
    Column("before", String(24), nullable=False),
    Column("after", String(24), nullable=False),
    Column("until_ns", BigInteger),
    Index("alarm_journal_by_point", "point_id", "tag", "at_ns"),
    Index("alarm_journal_by_time", "at_ns"),
)

# How far in the journal a channel has told people, and how often it has failed since.
notice_channels = Table(
    "notice_channels",
    metadata,
    Column("channel", String(200), primary_key=True),
    Column("told", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_ns", BigInteger, nullable=False),
    Column("failure", String),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("arrived_ns", BigInteger, nullable=False),
    Column("topic", String, nullable=False),
    Column("reason", String(16), nullable=False),
    Column("detail", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("complete", Boolean, nullable=False),
    Index("quarantine_by_arrival", "arrived_ns"),
)

counters = Table(
    "counters",
    metadata,
    Column("point_id", String(200), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

champions = Table(
    "champions",
    metadata,
    Column("role", String(32), primary_key=True),
    Column("bundle", String(200), nullable=False),
    Column("since_ns", BigInteger, nullable=False),
)

# Gateways that nodes are reached through. A node is reached where both are online.
gateways = Table(
    "gateways",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("online", Boolean, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
)

# The node at each point as it stands; names are a gateway's own, so that two sites may use the same.
nodes = Table(
    "nodes",
    metadata,
    Column("point_id", ForeignKey("points.id"), primary_key=True),
    Column("name", String(32), nullable=False),
    Column("gateway", String(200)),
    Column("online", Boolean, nullable=False),
    Column("since_ns", BigInteger),
    Column("seen_ns", BigInteger),
    Column("firmware", String(32)),
    Column("model", BigInteger, nullable=False),
    Column("contract", String(32)),
    Column("boot", BigInteger),
    Column("reset", String(16)),
    Column("slot", String(16)),
    Column("rate_hz", Float),
    Column("window", Integer),
    Column("period_ms", BigInteger),
    Column("update_image", String(32)),
    Column("update_offset", BigInteger, nullable=False),
    Column("update_size", BigInteger, nullable=False),
    Column("update_reason", String(32)),
    Column("candidate", BigInteger, nullable=False),
    Column("number", BigInteger),
    Column("reported_ns", BigInteger),
    Column("state", String(16)),
    Column("alarm", Boolean, nullable=False),
    Column("score", Float),
    Column("threshold", Float),
    Column("diagnosis", String(16)),
    Column("probability", Float),
    Column("lost", BigInteger, nullable=False),
    Index("nodes_by_name", "name"),
)

# What nodes reported. `at_ns` is the node's time where it has a believable one, else that of arrival. The digest tells
# a redelivery from another start that counts from the same number, such as that of a node in another's place.
node_reports = Table(
    "node_reports",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("point_id", ForeignKey("points.id"), nullable=False),
    Column("node", String(32), nullable=False),
    Column("boot", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("uptime_ms", BigInteger, nullable=False),
    Column("time_ns", BigInteger),
    Column("arrived_ns", BigInteger, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("alarm", Boolean, nullable=False),
    Column("model", BigInteger, nullable=False),
    Column("score", Float),
    Column("threshold", Float),
    Column("diagnosis", String(16)),
    Column("probability", Float),
    Column("shaft_hz", Float),
    Column("lost", BigInteger, nullable=False),
    Column("contract", String(32)),
    Column("features", LargeBinary, nullable=False),
    Column("known", LargeBinary, nullable=False),
    Column("digest", LargeBinary(16), nullable=False),
    UniqueConstraint("point_id", "boot", "number", "digest", name="one_report"),
    Index("node_reports_by_time", "point_id", "at_ns"),
)

# What nodes said beside reports and bursts, and what became of commands to them.
node_events = Table(
    "node_events",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("point_id", ForeignKey("points.id"), nullable=False),
    Column("node", String(32), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("entries", String, nullable=False),
    Column("digest", LargeBinary(16), nullable=False),
    UniqueConstraint("point_id", "digest", name="one_event"),
    Index("node_events_by_time", "point_id", "at_ns"),
)

# Models on their way to nodes; the image is kept, since a way back to it signs it anew.
rollouts = Table(
    "rollouts",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("image", LargeBinary, nullable=False),
    Column("policy", String, nullable=False),
    Column("stage", Integer, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("reason", String),
    Column("forgiven", Integer, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    # What the retraining job handed over; null for an image that somebody brought.
    Column("bundle", String(200)),
    Index("rollout_of_bundle", "bundle", unique=True),
)

# Each node of a roll-out, in the order in which they are sent the model; how it was before stands beside how it is.
rollout_members = Table(
    "rollout_members",
    metadata,
    Column("rollout_id", ForeignKey("rollouts.id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("point_id", ForeignKey("points.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("reason", String),
    Column("attempt", Integer, nullable=False),
    Column("former_version", BigInteger, nullable=False),
    Column("former_boot", BigInteger),
    Column("former_alarm", Boolean, nullable=False),
)

# Every step of every roll-out, with who did it and why; rows are never changed.
rollout_log = Table(
    "rollout_log",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("rollout_id", ForeignKey("rollouts.id"), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("who", String(200), nullable=False),
    Column("action", String(24), nullable=False),
    Column("point_id", String(200)),
    Column("why", String, nullable=False),
    Index("rollout_log_by_rollout", "rollout_id", "id"),
)

# Windows that no model of a point ever learns from, so that each can be asked the same: healthy ones (level null) and
# ones with a fault of a kind and level laid over them. They belong to a commissioning: the windows behind `after`.
frozen_windows = Table(
    "frozen_windows",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("point_id", ForeignKey("points.id"), nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("contract", String(32), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("level", Float),
    Column("window_id", BigInteger),
    Column("features", LargeBinary, nullable=False),
    Index("frozen_by_point", "point_id", "after"),
)

# One run of the retraining job; `state` is ``running`` until every task has its outcome and the report is written.
retraining_runs = Table(
    "retraining_runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("started_ns", BigInteger, nullable=False),
    Column("ended_ns", BigInteger),
    Column("state", String(16), nullable=False),
    Column("options", String, nullable=False),
)

# What a run does for one model; `step` is the next one to be taken. The point is empty for a model of all points.
retraining_tasks = Table(
    "retraining_tasks",
    metadata,
    Column("run_id", ForeignKey("retraining_runs.id"), primary_key=True),
    Column("role", String(32), primary_key=True),
    Column("point_id", String(200), primary_key=True),
    Column("step", String(16), nullable=False),
    Column("outcome", String(16)),
    Column("champion", String(200)),
    Column("challenger", String(200)),
    Column("findings", String, nullable=False),
)

# Who retrains; one row. A holder that has not beaten for long has died, and its lock is taken over.
retraining_lock = Table(
    "retraining_lock",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("beat_ns", BigInteger, nullable=False),
)

# Points that somebody wants retrained now; the run is null until one has taken it.
retraining_asks = Table(
    "retraining_asks",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("point_id", ForeignKey("points.id"), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("who", String(200), nullable=False),
    Column("why", String, nullable=False),
    Column("run_id", ForeignKey("retraining_runs.id")),
    Index("asks_by_run", "run_id"),
)

# Every time that a challenger took a champion's place; `undone_ns` where it was taken back.
promotions = Table(
    "promotions",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("role", String(32), nullable=False),
    Column("point_id", String(200), nullable=False),
    Column("bundle", String(200), nullable=False),
    Column("former", String(200)),
    Column("at_ns", BigInteger, nullable=False),
    Column("run_id", String(40), nullable=False),
    Column("undone_ns", BigInteger),
    Column("undone_why", String),
    Index("promotions_by_model", "role", "point_id", "id"),
)

# What people entered; what `points` has of a point is this where it says something, else what the point said.
asset_machines = Table(
    "asset_machines",
    metadata,
    Column("site", String(64), primary_key=True),
    Column("asset", String(64), primary_key=True),
    Column("area", String(200), nullable=False),
    Column("name", String(200)),
    Column("speed_rpm", Float),
    Column("iso_group", String(64)),
)

asset_points = Table(
    "asset_points",
    metadata,
    Column("point_id", ForeignKey("points.id"), primary_key=True),
    Column("name", String(200)),
    Column("bearing", String),
    Column("speed_rpm", Float),
    Column("mounting", String(16)),
    Column("said", String, nullable=False),
    # What alarms at the point and when, as JSON; empty for the settings' own.
    Column("alarming", String),
)

# When each point's worst indicator is expected to reach its limit, as last computed; without a due time, why not.
forecasts = Table(
    "forecasts",
    metadata,
    Column("point_id", ForeignKey("points.id"), primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("reason", String, nullable=False),
    Column("indicator", String(32)),
    Column("value", Float),
    Column("bound", Float),
    Column("unit", String(8)),
    Column("growth_per_day", Float),
    Column("onset_ns", BigInteger),
    Column("earliest_ns", BigInteger),
    Column("likely_ns", BigInteger),
    Column("latest_ns", BigInteger),
)

# What people did, beside what alarms and roll-outs have journals of; rows are never changed.
audit = Table(
    "audit",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("who", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("action", String(32), nullable=False),
    Column("target", String(200), nullable=False),
    Column("why", String, nullable=False),
    Index("audit_by_target", "target", "id"),
    Index("audit_by_time", "at_ns"),
)

# Who is logged in to the console; the token itself is kept by the browser alone.
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("opened_ns", BigInteger, nullable=False),
    Column("ends_ns", BigInteger, nullable=False),
    Index("sessions_by_name", "name"),
)

# What people said of verdicts and machines, with the verdict that they spoke of; rows are never changed, a later one
# of the same point and stretch of time holds over an earlier one.
labels = Table(
    "labels",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("point_id", ForeignKey("points.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("first_ns", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
    Column("alarm_id", BigInteger),
    Column("named", String(32)),
    Column("said", String(32)),
    Column("score", Float),
    Column("threshold", Float),
    Column("bundle", String(200)),
    Column("diagnosis_bundle", String(200)),
    Column("contract", String(32)),
    Column("origin", String(200), nullable=False),
    Column("who", String(200), nullable=False),
    Column("why", String, nullable=False),
    Index("labels_by_point", "point_id", "first_ns"),
)

# Work that a maintenance system was asked for, once for each key; what it closed it with comes back as a label.
work_orders = Table(
    "work_orders",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("point_id", ForeignKey("points.id"), nullable=False),
    Column("alarm_id", BigInteger),
    Column("asked_ns", BigInteger, nullable=False),
    Column("who", String(200), nullable=False),
    Column("why", String, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_ns", BigInteger, nullable=False),
    Column("failure", String),
    Column("number", String(200)),
    Column("closed_ns", BigInteger),
    Column("closure", String(64)),
    Index("work_orders_by_point", "point_id", "asked_ns"),
)
