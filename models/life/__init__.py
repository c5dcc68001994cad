"""Remaining useful life from run-to-failure histories: one protocol, its baselines, Babu's network and ours."""
