"""What runs again and why: pure functions from values to values, without clock, disk or plugins."""
