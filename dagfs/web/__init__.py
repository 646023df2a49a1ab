"""The web page and the HTTP API: pages and JSON over the same operations as the command line."""
