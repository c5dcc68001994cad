"""Numbers from a window of vibration: statistics, spectra, envelope, orders, wavelets. Pure: only its own tables."""
