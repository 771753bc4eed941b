"""How to get the right file out of each broker, one TOML file a broker."""
