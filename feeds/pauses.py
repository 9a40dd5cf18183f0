"""Short pauses of the garbage collector, for processes that answer within milliseconds."""

from __future__ import annotations

import gc


def keep_short() -> None:
    """Call it when everything is loaded: what is there now is never looked through again.

    A full collection goes through every object of the modules, 0.1 to 0.2 s in which nobody is answered. There is none
    before either: loading leaves a handful of objects behind.
    """
    gc.freeze()
