"""Vibration recordings as their publishers ship them, read into one type."""

from models.recordings.reading import read_recording
from models.recordings.recording import Recording

__all__ = ["Recording", "read_recording"]
