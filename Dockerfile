# Two stages: the first makes the wheel and an environment from uv.lock, the second only runs it.
# The base may be stated with its digest: --build-arg PYTHON_IMAGE=python:3.13-slim-bookworm@sha256:…, see SECURITY.md.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm
FROM ${PYTHON_IMAGE} AS build

ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
RUN ["pip", "install", "--no-cache-dir", "--disable-pip-version-check", "uv==0.13.8"]
WORKDIR /build

# what changes seldom first, so that a change of the source does not install all libraries again
COPY pyproject.toml uv.lock README.md LICENSE hatch_build.py ./
RUN uv export --frozen --no-dev --no-emit-project --extra redis --extra postgres --quiet --output-file locked.txt \
    && uv venv /opt/tearsheet \
    && uv pip install --python /opt/tearsheet --require-hashes --requirement locked.txt

COPY src src
RUN uv build --wheel --out-dir wheels \
    && uv pip install --python /opt/tearsheet --no-deps --no-index --find-links wheels tearsheet


FROM ${PYTHON_IMAGE}

RUN groupadd --gid 10001 tearsheet \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin tearsheet \
    && install -d -o tearsheet -g tearsheet -m 0750 /data /data/logs /data/config
COPY --from=build /opt/tearsheet /opt/tearsheet

ENV PATH=/opt/tearsheet/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TEARSHEET_HOST=0.0.0.0 \
    TEARSHEET_LOG_FORMAT=json

USER 10001:10001
WORKDIR /data
# logs: trade logs in, ledger (if it is SQLite), summaries and alerts out; config: targets, tokens.
# Nothing else is written but /tmp, so the root may be read-only with a tmpfs there.
VOLUME ["/data/logs", "/data/config"]
EXPOSE 5000

# no shell between: process 1 is the master of gunicorn, and SIGTERM reaches it
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client as h, os, sys; e = os.environ; c = h.HTTPConnection('127.0.0.1', int(e.get('TEARSHEET_PORT') or e.get('PORT') or 5000), timeout=3); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["tearsheet"]
CMD ["serve", "--watch"]
