"""The commands of lakes of many accounts."""
