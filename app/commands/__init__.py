"""The subcommands of `raceway`: each parses, calls, prints and gives an exit code."""
