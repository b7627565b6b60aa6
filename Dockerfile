# The environment of a lock file and the scripts, in /blindspots.
#   docker build --tag blindspots .
#   docker build --tag blindspots:gpu --build-arg LOCK=requirements-gpu.lock .
# The first takes torch's CPU build where pip finds one: --build-arg PIP_EXTRA_INDEX_URL names an index that has it.
FROM python:3.11-slim
ARG LOCK=requirements.lock
ARG PIP_EXTRA_INDEX_URL
ENV LOCK=$LOCK PYTHON=python3.11 PATH=/blindspots/.venv/bin:$PATH
# g++ for the kernels that DeepSpeed and Triton compile, git for the commit that a lineage names.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ git kubernetes-client make \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory '*'
WORKDIR /blindspots
COPY Makefile requirements.lock requirements-gpu.lock ./
RUN make .venv/installed
COPY . .
CMD ["make", "demo"]
