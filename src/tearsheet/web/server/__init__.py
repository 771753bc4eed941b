"""Server of the web application: worker processes, caches, event streams and upload threads."""
