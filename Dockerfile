# One image for all of Admit: web, workers, beat, and cloudlet for trials. compose.yaml says which command each runs.

FROM python:3.11.16-slim-bookworm AS build

WORKDIR /build
COPY requirements-image.lock ./
# The image's own pip installs into the environment, so that the environment contains no pip.
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --only-binary :all: --require-hashes -r requirements-image.lock


FROM python:3.11.16-slim-bookworm

# This user can write only to its own two folders.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin admit
RUN install -d -m 700 -o admit -g admit /var/lib/admit /var/lib/cloudlet
COPY --from=build /opt/venv /opt/venv
COPY cloudlet/src /app/cloudlet/src
COPY ticketkit/src /app/ticketkit/src
COPY backend /app/backend
# Use a path file instead of PYTHONPATH: the sandboxed processes that read uploads get no environment.
RUN printf '/app/cloudlet/src\n/app/ticketkit/src\n' > "$(/opt/venv/bin/python -c 'import site; print(site.getsitepackages()[0])')/admit.pth"
RUN chmod -R go=rX /app  # the checkout may have been made under a strict umask
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STATIC_ROOT=/app/static \
    ADMIT_VAR_DIR=/var/lib/admit \
    METRICS_DIR=/tmp/metrics \
    HEARTBEAT_FILE=/tmp/heartbeat
WORKDIR /app/backend
# Generated files, among them a secret key, are for this step only and must not be in the image.
RUN ADMIT_VAR_DIR=/tmp/once METRICS_DIR=/tmp/once \
    python -B manage.py collectstatic --noinput \
    && rm -r /tmp/once \
    && python -m compileall -q /app/backend /app/cloudlet/src /app/ticketkit/src
USER admit
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "1", "--workers-kill-timeout", "10", "config.wsgi:application"]
