"""Built-in compatibility rules: plugins like anybody's, seeing only `dagfs.hooks` and `dagfs.model`."""
