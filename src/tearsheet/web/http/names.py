"""The names under which parts leave things for each other: in a request's environ, and in the process's."""

#: Of a request: the path of its operation, the entity tag of its answer, and its id.
ROUTE, ETAG, REQUEST_ID = "tearsheet.route", "tearsheet.etag", "tearsheet.request_id"
#: Where the Prometheus client of each worker counts, so that any of them can add all up.
MULTIPROC_DIR = "PROMETHEUS_MULTIPROC_DIR"
