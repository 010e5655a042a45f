"""`code_version="auto"`: a version of the code that makes an asset, worked out from its syntax, and from what it calls."""
