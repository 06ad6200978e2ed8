# The image of gatherer. docs/running.md says how to run it. It holds no key and no settings: mount both.
FROM python:3.12-slim AS build
WORKDIR /src
COPY constraints.txt pyproject.toml setup.py LICENSE README.md ./
COPY conf conf
COPY gatherer gatherer
COPY twisted twisted
RUN pip wheel --no-cache-dir --constraint constraints.txt --wheel-dir /wheels .

FROM python:3.12-slim
# twistd writes the list of its plugins beside them. Only root can, so it happens here.
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --no-deps /wheels/*.whl \
    && twistd --help > /dev/null \
    && groupadd --system --gid 10001 gatherer \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin gatherer \
    && install -d -o 10001 -g 10001 -m 750 /var/lib/gatherer
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# All interfaces of the container. "docker run --publish" decides who can reach them.
ENV GATHERER_WEB_LISTEN=tcp:9090
USER 10001:10001
# The capture goes to ./capture.
WORKDIR /var/lib/gatherer
VOLUME /var/lib/gatherer
EXPOSE 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=3m --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9090/health', timeout=4)"]
ENTRYPOINT ["twistd", "--nodaemon", "--pidfile=", "gatherer"]
CMD ["--config", "/etc/gatherer/gatherer.toml"]
