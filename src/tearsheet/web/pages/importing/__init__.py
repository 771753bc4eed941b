"""Pages of importing: the place to drop files, the wizard, and the history of imports."""
