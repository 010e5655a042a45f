"""The JSON API, a module for each area: its `router` is found by itself."""
