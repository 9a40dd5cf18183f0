"""The analytics process: what is computed from ticks and stored or told."""
