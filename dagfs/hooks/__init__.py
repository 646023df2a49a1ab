"""What a plugin is: everything a plugin author imports, together with `dagfs.model`."""

import pluggy

hookimpl = pluggy.HookimplMarker("dagfs")
"""Marks a function of a plugin as the implementation of the hook of that name."""
