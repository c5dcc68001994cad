"""Channels to people: a web hook and e-mail; what they cannot deliver is a `DeliveryError` without any secret in it."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from itertools import groupby
from urllib.parse import urlsplit

from app.alarms.notices import Channel, Notice
from app.alarms.posting import DeliveryError, host_of, post
from app.alarms.register import PRIORITIES
from app.settings import Settings

__all__ = ["Mail", "WebHook", "channels_of"]

_PATIENCE_S = 20.0
_THIS_HOST = ("localhost", "127.0.0.1", "::1")
# Alarms up to which a mail has them all; beyond, so many of each machine.
_LISTED, _OF_EACH = 50, 5


@dataclass(frozen=True)
class WebHook:
    """Posts new alarms as JSON, with the key as `Idempotency-Key`."""

    url: str = field(repr=False)

    @property
    def name(self) -> str:
        """The host: a path may hold a secret."""
        return f"webhook {host_of(self.url)}"

    def send(self, notices: Sequence[Notice], *, key: str) -> int:
        """Post; any answer but 2xx is a failure.

        Raises
        ------
        DeliveryError
        """
        post(self.url, {"v": 1, "key": key, "alarms": [asdict(notice) for notice in notices]}, key=key)
        return 0


@dataclass(frozen=True)
class Mail:
    """Mails new alarms, grouped by machine, with the key in the message's id."""

    server: str
    sender: str
    recipients: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """By whom is told."""
        return f"mail {', '.join(self.recipients)}"[:200]

    def send(self, notices: Sequence[Notice], *, key: str) -> int:
        """Mail, and give the number of recipients refused; all of them are a failure, as is a log-in over an open line.

        Raises
        ------
        DeliveryError
        """
        host = urlsplit(self.server).hostname or ""
        try:
            message = _message(notices, key=key, sender=self.sender, recipients=self.recipients)
            return len(self._handed_over(message, host=host))
        except (OSError, ValueError, smtplib.SMTPException) as error:
            # A value that is none: a port, a line break in a header, or a password of other letters than ASCII's.
            raise DeliveryError(f"{host} does not take mail ({type(error).__name__})") from error

    def _handed_over(self, message: EmailMessage, *, host: str) -> Collection[str]:
        """Give a mail to the server; the recipients that it refuses."""
        parts = urlsplit(self.server)
        tls = ssl.create_default_context()
        client = (
            smtplib.SMTP_SSL(host, parts.port or 465, timeout=_PATIENCE_S, context=tls)
            if parts.scheme == "smtps"
            else smtplib.SMTP(host, parts.port or 25, timeout=_PATIENCE_S)
        )
        with client:
            client.ehlo()
            secured = parts.scheme == "smtps" or client.has_extn("starttls")
            if secured and parts.scheme == "smtp":
                client.starttls(context=tls)
            if self.user and not secured and host not in _THIS_HOST:
                raise DeliveryError(f"{host} offers no TLS; the password is not sent in the clear")
            if self.user:
                client.login(self.user, self.password)
            return client.send_message(message)


def channels_of(settings: Settings) -> list[Channel]:
    """Make the channels that the settings name."""
    channels: list[Channel] = []
    if settings.notify_webhook:
        channels.append(WebHook(settings.notify_webhook))
    recipients = tuple(part.strip() for part in settings.notify_mail_to.split(",") if part.strip())
    if recipients:
        channels.append(
            Mail(
                settings.smtp_url,
                settings.notify_mail_from,
                recipients,
                settings.smtp_user,
                settings.smtp_password,
            )
        )
    return channels


def _message(notices: Sequence[Notice], *, key: str, sender: str, recipients: Sequence[str]) -> EmailMessage:
    message = EmailMessage()
    first = max(notices, key=lambda notice: (PRIORITIES.index(notice.priority), -notice.number))
    more = f" and {len(notices) - 1} more" if len(notices) > 1 else ""
    message["Subject"] = f"Raceway alarm ({first.priority}): {first.name}, {first.tag}{more}"
    message["From"], message["To"] = sender, ", ".join(recipients)
    message["Message-ID"] = f"<alarms-{key}@{sender.rpartition('@')[2] or 'raceway'}>"
    message.set_content("\n".join(_lines(notices)))
    return message


def _lines(notices: Sequence[Notice]) -> list[str]:
    """Alarms under the machine that they are of, the most urgent first: a flood of one machine reads as one thing."""
    lines = []
    for machine, own in groupby(sorted(notices, key=_machine), key=_machine):
        lines.append(machine)
        alarms = sorted(own, key=lambda notice: (-PRIORITIES.index(notice.priority), notice.number))
        listed = alarms if len(notices) <= _LISTED else alarms[:_OF_EACH]
        for notice in listed:
            at = datetime.fromtimestamp(notice.at_ns / 1e9, tz=UTC).strftime("%Y-%m-%d %H:%M:%SZ")
            why = f": {notice.why}" if notice.why else ""
            lines.append(f"  {at}  {notice.priority:7} {notice.name}, {notice.tag}{why}")
        if len(listed) < len(alarms):
            lines.append(f"  and {len(alarms) - len(listed)} more")
        lines.append("")
    return lines


def _machine(notice: Notice) -> str:
    return notice.point_id.rpartition("/")[0]
