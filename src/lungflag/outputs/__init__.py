"""Sinks: what becomes of an Outcome. Each is a callable that takes one."""
