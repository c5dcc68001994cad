"""How Raceway itself fares, in figures that Prometheus collects."""
