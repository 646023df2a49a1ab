"""Built-in notifiers: plugins like anybody's, seeing only `dagfs.hooks` and `dagfs.model`."""
