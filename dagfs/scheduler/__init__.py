"""Starts runs by themselves: by the clock, by files, from queues, and again after a failure."""
