"""File formats: one file each, one registry."""
