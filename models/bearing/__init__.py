"""Published and own systems for bearing faults, compared on CWRU under splits that say whether they leak."""
