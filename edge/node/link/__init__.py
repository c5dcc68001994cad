"""The link between node and host, on the host's side: frames, the reliable session, and what the messages hold."""
