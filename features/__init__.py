"""Numbers from a window of vibration: statistics, spectrum, envelope, wavelets. Pure; no clock, no I/O."""
