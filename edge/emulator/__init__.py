"""Compiled libraries on an emulated Cortex-M4: outputs, instructions, modelled cycles, flash, RAM and stack."""
