"""A simulated machine with growing faults, from the physics of shafts, gears and rolling bearings."""

from models.plant.machine import FAULTS, Condition, Machine, Mode, random_bearing, random_machine, wandering
from models.plant.signal import MachineSignal
from models.plant.synthesis import KINDS, LabelledWindows, labelled_windows

__all__ = [
    "FAULTS",
    "KINDS",
    "Condition",
    "LabelledWindows",
    "Machine",
    "MachineSignal",
    "Mode",
    "labelled_windows",
    "random_bearing",
    "random_machine",
    "wandering",
]
