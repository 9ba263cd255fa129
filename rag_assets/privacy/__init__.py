"""Personal data: found in documents before anything is kept of them, and in texts of logs."""
