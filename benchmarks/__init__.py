"""Ratios beside a peer and the physical limit, measured in one run."""
