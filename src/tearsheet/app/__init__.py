"""Use cases of Tearsheet."""
