"""What people say of verdicts and machines: labels, as training data with provenance, and work that they ask for."""
