"""The networks whose cost on a node is measured, each with real data, an honest split and a metric that can fall."""
