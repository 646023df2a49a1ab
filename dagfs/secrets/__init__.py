"""Built-in secret providers: each a plugin, loaded like a stranger's."""
