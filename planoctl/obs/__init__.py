"""`planoctl obs`, the live console: spans from a source become calls, are counted, and shown in a terminal."""
