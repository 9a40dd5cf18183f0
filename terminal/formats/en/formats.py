"""Day before month, and 24 hours with seconds: an audit trail is read to the second."""

DATE_FORMAT = SHORT_DATE_FORMAT = "j M Y"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "j M Y, H:i:s"
TIME_FORMAT = "H:i:s"
