"""The firmware of a node beside its C code: generators, builds, emulation, and the twin of its link."""
