# Cupel's graphs on Aegra (Apache-2.0), from its own lock: nothing without its hash there is installed.
#   docker compose --env-file .env -f deploy/aegra.yaml up --build
FROM python:3.12-slim

# only the installer and the lock: an edited prompt installs nothing anew
COPY .ci/uv.lock .ci/serve.lock requirements.lock /locked/
RUN pip install --no-cache-dir --require-hashes -r /locked/uv.lock && uv pip install --system --no-cache-dir --require-hashes -r /locked/serve.lock

RUN useradd --create-home cupel
COPY --chown=cupel . /app
WORKDIR /app
RUN uv pip install --system --no-cache-dir --no-deps -b /locked/requirements.lock -e . && mkdir -p .cupel && chown cupel .cupel
USER cupel

ENV AEGRA_CONFIG=langgraph.json ENV_MODE=PRODUCTION LOG_VERBOSITY=standard
EXPOSE 2026
CMD ["python", "-m", "uvicorn", "aegra_api.main:app", "--host", "0.0.0.0", "--port", "2026"]
