"""Networks, the data they learn from, honest evaluation, and the bundles that carry them to where they serve."""
