"""When an alert fires: pure."""
