"""What pages show, as values made from values; nothing here reads or writes."""
