"""Vibration recordings as their publishers ship them, read into one type."""
