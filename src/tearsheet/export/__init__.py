"""Export of summaries, alerts and simulations as JSON, Markdown and SVG."""
