"""Keys used in the WSGI environ and in environment variables."""

#: WSGI environ: path of the request's operation, entity tag of its answer, request ID.
ROUTE, ETAG, REQUEST_ID = "tearsheet.route", "tearsheet.etag", "tearsheet.request_id"
#: Environment variable: folder of the counters of all workers (read by the Prometheus client on import).
MULTIPROC_DIR = "PROMETHEUS_MULTIPROC_DIR"
