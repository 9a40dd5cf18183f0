"""The execution process: the engine, its clock, and one transaction for each step."""
