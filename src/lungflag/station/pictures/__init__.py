"""Radiographs as a viewer needs them: decoded by a process that may be killed, kept on the disk."""
