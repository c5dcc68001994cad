"""What operators look at: read-only queries, charts and pages."""
