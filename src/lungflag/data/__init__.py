"""Data sets: the manifest, where it comes from, how it is split and audited."""
