"""The colours of charts, which stay apart for colour-blind eyes."""

from __future__ import annotations

__all__ = ["BLUE", "FAULT_COLOURS", "GREEN", "GREY", "ORANGE", "PURPLE", "RED", "SKY", "ZONE_COLOURS"]

# Okabe and Ito's palette.
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#7F7F7F"
# For dark grounds, where the blue is hard to read.
SKY = "#56B4E9"
FAULT_COLOURS = {"BPFO": RED, "BPFI": PURPLE, "BSF": GREEN, "FTF": ORANGE}
ZONE_COLOURS = {"A": GREEN, "B": BLUE, "C": ORANGE, "D": RED}
