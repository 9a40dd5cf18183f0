"""Where every test run begins: it says where the servers are, before the settings are read."""

pytest_plugins = ["tests.embedded_servers", "tests.static_files"]
