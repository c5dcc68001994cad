"""The node's firmware from the host's side: what is generated for it, and its parts built and run here."""
