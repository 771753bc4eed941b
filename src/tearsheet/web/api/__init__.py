"""Operations of the API, a module for each feature."""
