"""The project: wiring, the operations panel and the screens."""
