"""Alarms as people work with them: their lifecycle, their priorities, who did what and why."""
