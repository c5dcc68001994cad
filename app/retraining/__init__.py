"""Retraining: whether a model has drifted, what challenges it, which of the two serves, and how that is undone."""
