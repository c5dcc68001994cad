"""Lines of bytes to nodes: serial devices, TCP and Unix sockets, dialled or listened on; refuses other addresses.

Nothing here waits: a line that is not open yet, or cannot take more, says so.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import termios
import tty
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from features.errors import ParameterError, RacewayError

__all__ = ["Address", "Line", "LineError", "accept", "dial", "listen"]

_BAUD = 115_200
_CHUNK = 16_384
_BACKLOG = 128
_FORMS = "serial:PATH[?baud=N], tcp:HOST:PORT, unix:PATH, tcp-listen:HOST:PORT or unix-listen:PATH"


class LineError(RacewayError):
    """A line cannot be opened, or is gone."""


@dataclass(frozen=True)
class Address:
    """Where nodes are reached.

    Attributes
    ----------
    kind : str
        ``serial``, ``tcp`` or ``unix``.
    place : str
        Path, or host.
    number : int
        Baud of a serial line, port of TCP, else 0.
    listens : bool
        Whether nodes dial us.

    Examples
    --------
    >>> Address.parse("serial:/dev/ttyUSB0?baud=921600")
    Address(kind='serial', place='/dev/ttyUSB0', number=921600, listens=False)
    >>> str(Address.parse("tcp-listen:0.0.0.0:7000"))
    'tcp-listen:0.0.0.0:7000'
    """

    kind: Literal["serial", "tcp", "unix"]
    place: str
    number: int = 0
    listens: bool = False

    def __str__(self) -> str:
        kind = f"{self.kind}-listen" if self.listens else self.kind
        number = {"serial": f"?baud={self.number}", "tcp": f":{self.number}", "unix": ""}[self.kind]
        return f"{kind}:{self.place}{number}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address.

        Raises
        ------
        ParameterError
            If it has none of the known forms.
        """
        kind, _, rest = text.partition(":")
        try:
            if kind == "serial" and rest:
                place, _, baud = rest.partition("?baud=")
                number = int(baud) if baud else _BAUD
                return cls("serial", place, number if _speed(number) else 0)
            if kind in ("tcp", "tcp-listen"):
                host, _, port = rest.rpartition(":")
                if host and 0 <= int(port) < 65_536:
                    return cls("tcp", host.strip("[]"), int(port), kind == "tcp-listen")
            if kind in ("unix", "unix-listen") and rest:
                return cls("unix", rest, 0, kind == "unix-listen")
        except ParameterError:
            raise
        except ValueError:
            pass
        raise ParameterError(f"{text[:200]!r} is no address of a line; {_FORMS} is wanted")


def _speed(baud: int) -> int:
    speed = getattr(termios, f"B{baud}", None)
    if not isinstance(speed, int):
        raise ParameterError(f"a serial line of {baud} baud is not known here; 115200 is usual")
    return speed


class Line:
    """An open line, or one that is being opened.

    Parameters
    ----------
    name : str
        For people.
    source : socket or int
        A socket, or the descriptor of a device; it does not block, and is closed with the line.
    opening : bool
        Whether it is still being connected: it is then to be waited for until it can be written.
    """

    def __init__(self, name: str, source: socket.socket | int, *, opening: bool = False) -> None:
        self.name = name
        self.opening = opening
        self._source = source

    def fileno(self) -> int:
        """Descriptor, for a selector."""
        return self._source if isinstance(self._source, int) else self._source.fileno()

    def opened(self) -> None:
        """Settle whether the line that could be written for the first time is open.

        Raises
        ------
        LineError
            If it could not be connected.
        """
        fault = 0 if isinstance(self._source, int) else self._source.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if fault:
            raise LineError(f"{self.name} cannot be reached ({os.strerror(fault)})")
        self.opening = False

    def read(self) -> bytes:
        """Give what has come; empty where nothing has.

        Raises
        ------
        LineError
            If the other end has gone.
        """
        try:
            data = os.read(self.fileno(), _CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise LineError(f"{self.name} is gone ({error.strerror})") from error
        if not data:
            raise LineError(f"{self.name} was closed by the other end")
        return data

    def write(self, data: bytes) -> int:
        """Give how many bytes the line took.

        Raises
        ------
        LineError
            If the other end has gone.
        """
        try:
            return os.write(self.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise LineError(f"{self.name} is gone ({error.strerror})") from error

    def close(self) -> None:
        """Close it."""
        if isinstance(self._source, int):
            with contextlib.suppress(OSError):
                os.close(self._source)
        else:
            self._source.close()


def dial(address: Address) -> Line:
    """Open a line to one node.

    Raises
    ------
    LineError
        If it cannot be opened now.
    """
    try:
        if address.kind == "serial":
            return Line(str(address), _open_device(address))
        return _connect(address)
    except (OSError, termios.error) as error:
        raise LineError(f"{address} cannot be opened ({error})") from error


def _open_device(address: Address) -> int:
    descriptor = os.open(address.place, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        tty.setraw(descriptor)
        flags = termios.tcgetattr(descriptor)
        flags[2] |= termios.CLOCAL | termios.CREAD
        flags[4] = flags[5] = _speed(address.number)
        termios.tcsetattr(descriptor, termios.TCSANOW, flags)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _connect(address: Address) -> Line:
    if address.kind == "unix":
        place: Any = address.place
        made = socket.socket(socket.AF_UNIX)
    else:
        family, _, _, _, place = socket.getaddrinfo(address.place, address.number, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.settimeout(0)
    fault = made.connect_ex(place)
    if fault not in (0, errno.EINPROGRESS):
        made.close()
        raise OSError(fault, os.strerror(fault))
    return Line(str(address), made, opening=fault != 0)


def listen(address: Address) -> socket.socket:
    """Listen for nodes that dial us.

    Raises
    ------
    LineError
        If the address is taken or may not be listened on.
    """
    try:
        if address.kind == "unix":
            # What a killed gateway left behind; a living one is not asked.
            Path(address.place).unlink(missing_ok=True)
            made = socket.socket(socket.AF_UNIX)
            made.bind(address.place)
        else:
            made = socket.create_server((address.place, address.number), family=_family(address.place))
        made.listen(_BACKLOG)
        made.settimeout(0)
    except OSError as error:
        raise LineError(f"{address} cannot be listened on ({error})") from error
    return made


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def accept(listener: socket.socket) -> Line | None:
    """Take a node that has dialled; None where it has gone again."""
    try:
        made, peer = listener.accept()
    except OSError:
        return None
    made.settimeout(0)
    if made.family != socket.AF_UNIX:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Line(f"tcp:{peer[0]}:{peer[1]}", made)
    return Line(f"unix:{listener.getsockname()}", made)
