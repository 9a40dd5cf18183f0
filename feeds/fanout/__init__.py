"""Inside a web process: from the tick bus to the browsers, through one hub."""
