"""From a trained network to the form a node or a gateway runs."""
