"""Built-in executors: plugins like anybody's, seeing only `dagfs.hooks` and `dagfs.model`."""
