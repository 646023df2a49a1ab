"""Plan meets world: operations, the run loop, and the small processes that own steps."""
