"""Pruning in the shapes that a Cortex-M4 turns into speed: weights in groups, whole nodes, and activations."""
