# The service: boilerplate-clf with the extras serve and html, and the shipped model. Nothing is fetched at run time.
FROM python:3.13-slim-bookworm AS build
COPY pyproject.toml README.md LICENSE /src/
COPY src /src/src
COPY models /src/models
COPY training/data/pages-rehearsal.jsonl /src/training/data/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir "/src[serve,html]"

FROM python:3.13-slim-bookworm
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 8000
# Without a token it warns: give BOILERPLATE_CLF_TOKEN, or --token-file, or keep the port to yourself.
ENTRYPOINT ["boilerplate-clf", "serve", "--host", "0.0.0.0"]
HEALTHCHECK --interval=15s --timeout=10s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=8)"]
