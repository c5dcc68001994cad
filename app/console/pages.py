"""The pages of the console: where each is, what it is called, the right that it wants, and what draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from app.access.roles import Right, User
from app.console.addresses import Page
from app.console.alarms import alarms_page
from app.console.assets import assets_page
from app.console.audit import audit_page
from app.console.data import data_page
from app.console.machine import machine_page
from app.console.maintenance import maintenance_page
from app.console.models import models_page
from app.console.nodes import nodes_page
from app.console.overview import overview_page
from app.console.settings import settings_page
from app.settings import Settings

__all__ = ["PAGES", "Listed"]


@dataclass(frozen=True)
class Listed:
    """A page in the list on the left; its icon is one of Material's, which stands beside the title."""

    page: Page
    title: str
    icon: str
    right: Right
    draw: Callable[[Engine, Settings, User], None]


# In the order of the list; the first is what the bare address shows.
PAGES: tuple[Listed, ...] = (
    Listed("overview", "Overview", "home", "look", overview_page),
    Listed("machine", "Machine", "monitoring", "look", machine_page),
    Listed("alarms", "Alarms", "notifications", "look", alarms_page),
    Listed("maintenance", "Maintenance", "build", "look", maintenance_page),
    Listed("models", "Models", "model_training", "look", models_page),
    Listed("nodes", "Nodes", "sensors", "look", nodes_page),
    Listed("assets", "Assets", "account_tree", "look", assets_page),
    Listed("data", "Data", "database", "look", data_page),
    Listed("settings", "Settings", "settings", "look", settings_page),
    Listed("audit", "Audit", "history", "roll out", audit_page),
)
