"""A code location: what one module of a person declares, as one `Definitions`, and how it is found and loaded."""
