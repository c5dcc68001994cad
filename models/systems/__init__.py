"""Every system that learns from a public data set: how it is trained, kept in a folder, and loaded again."""
