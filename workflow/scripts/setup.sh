#!/usr/bin/env bash
# Make .venv and install exactly what the lock files name. Called by make; needs no root.
# With TORCH=cpu, torch and torchvision of the same versions come from the index INDEX, without CUDA's libraries.
set -euo pipefail

fail() {
    printf 'digit: %s\n' "$1" >&2
    exit 1
}

recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

case ${TORCH:-} in
'') ;;
cpu) [ -n "${INDEX:-}" ] ||
    fail "TORCH=cpu takes torch from an index of builds for the CPU; name it: make demo TORCH=cpu INDEX=https://... (PyTorch's page on installing has the address)." ;;
*) fail "TORCH=$TORCH is unknown; say TORCH=cpu, or leave it out." ;;
esac

python=${PYTHON:-}
if [ -z "$python" ]; then
    for candidate in python3 python3.13 python3.12 python3.11; do
        if recent "$candidate"; then
            python=$candidate
            break
        fi
    done
fi
[ -n "$python" ] || fail 'Python 3.11 or newer is needed and was not found; on Debian or Ubuntu install the package python3.'
recent "$python" || fail "$python is older than Python 3.11; name a newer one: make PYTHON=python3.12 ..."
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python cannot make virtual environments; on Debian or Ubuntu install the package python3-venv."

if [ -x .venv/bin/python ] && ! recent .venv/bin/python; then
    fail '.venv was made with a Python that is gone or older than 3.11; remove the folder .venv and try again.'
fi
[ -x .venv/bin/pip ] || "$python" -m venv .venv

# Changing between builds of torch: equal versions would be taken for installed.
if [ "${INDEX:-}" != "$(cat .venv/cpu-index 2>/dev/null || true)" ]; then
    .venv/bin/python -m pip uninstall --quiet --yes torch torchvision
fi
lock=requirements.lock size='about 7 GB'
if [ -n "${TORCH:-}" ]; then
    lock=.venv/without-cuda.lock size='about 2.5 GB'
    awk '/^[A-Za-z0-9]/ { keep = !/^(torch|torchvision|triton|cuda-[a-z-]+|nvidia-[a-z0-9-]+)==/ } keep' \
        requirements.lock >$lock
    printf '%s\n' "$INDEX" >.venv/cpu-index
else
    rm -f .venv/cpu-index
fi

total=$(grep -c '^[A-Za-z0-9_.-]*==' $lock)
printf 'Installing into .venv (once; %s and a few minutes)\n' "$size"
if ! .venv/bin/python -m pip install --no-deps --require-hashes -r $lock 2>&1 | tee .venv/install.log |
    awk -v total="$total" -v width="$([ -t 1 ] && echo 1 || echo 0)" '
        /^(Collecting|Requirement already satisfied:)/ {
            done++
            name = $1 == "Collecting" ? $2 : $4
            sub(/[=<>!~].*/, "", name)
            if (width) printf "\r  %3d of about %d: %-40s", done, total, name
            else if (done % 25 == 0) printf "  %d of about %d packages\n", done, total
            fflush()
        }
        /^Installing collected packages/ { if (width) printf "\r"; printf "  unpacking %-50s\n", ""; fflush() }
    '; then
    tail -n 15 .venv/install.log >&2
    fail 'the installation failed; the lines above say why, all of them are in .venv/install.log.'
fi
if [ -n "${TORCH:-}" ]; then
    [ -d "$INDEX" ] && from=(--no-index --find-links "$INDEX") || from=(--index-url "$INDEX")
    mapfile -t builds < <(grep -oE '^(torch|torchvision)==[^ ;\\]+' requirements.lock)
    .venv/bin/python -m pip install --no-deps "${from[@]}" "${builds[@]}" >>.venv/install.log 2>&1 || {
        tail -n 15 .venv/install.log >&2
        fail "$INDEX does not give ${builds[*]} for this Python; the lines above say why."
    }
fi
bash workflow/scripts/detector.sh .venv/bin/python requirements-detector.lock ||
    fail 'the package with the hand detector could not be installed; the lines above say why.'
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
printf '  done\n'
