"""One module a page: takes a request, asks the store or a command, gives a template its values."""
