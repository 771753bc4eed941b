"""Commands for the rules of firms: the status of an account, and presets."""
