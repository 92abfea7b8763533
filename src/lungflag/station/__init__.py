"""The reading station: accounts, the web API, the worklist and the viewer."""
