"""Configuration files in YAML: targets, limits and instruments."""
