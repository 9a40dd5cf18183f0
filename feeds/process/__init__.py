"""The feed process: one Dhan account from its lease to the tick bus, each duty a module of its own."""
