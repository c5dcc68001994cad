"""Nodes as a fleet: what each runs, and how a new model reaches them stage by stage."""
