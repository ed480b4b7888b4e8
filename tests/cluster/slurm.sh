#!/usr/bin/env bash
# A Slurm cluster of three pretended nodes on the loopback interface; nothing outside its folder.
#   slurm.sh install       Debian's packages, where apt-get may install them
#   slurm.sh up FOLDER     write the configuration; start munged, slurmctld and three slurmd
#   slurm.sh down FOLDER   stop what "up" started
#   eval "$(slurm.sh env FOLDER)"   point sbatch, squeue and snakemake at it
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
NODES=(n1 n2 n3)

die() {
    echo "slurm.sh: $*" >&2
    exit 1
}

wait_for() { # SECONDS WHAT COMMAND...
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || die "waited in vain for $what (logs: $LAB/log)"
        sleep 0.1
    done
}

alive() { # NAME
    [ -s "$LAB/pid/$1" ] && kill -0 "$(cat "$LAB/pid/$1")" 2>/dev/null
}

install() {
    command -v slurmctld slurmd munged sbatch >/dev/null && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || die 'Slurm is not installed, and apt-get may not install it'
    local before=
    # Installing must not start the packages' services: the test starts its own.
    [ -e /usr/sbin/policy-rc.d ] || {
        before=none
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
    }
    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        slurm-wlm munge >/dev/null || die 'apt-get could not install slurm-wlm and munge'
    [ -z "$before" ] || rm -f /usr/sbin/policy-rc.d
}

configure() {
    local port=${SLURM_TEST_PORT:-17800} node number=0
    cat >"$LAB/etc/slurm.conf" <<C
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$LAB/munge.sock
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort=$((port + 17))
SrunPortRange=$((port + 100))-$((port + 199))
StateSaveLocation=$LAB/state
SlurmdSpoolDir=$LAB/spool/%n
SlurmctldPidFile=$LAB/pid/slurmctld
SlurmdPidFile=$LAB/pid/slurmd-%n
SlurmctldLogFile=$LAB/log/slurmctld.log
SlurmdLogFile=$LAB/log/slurmd-%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
EnforcePartLimits=ALL
KillWait=5
MinJobAge=3600
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=5,bf_interval=5
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$LAB/log/jobcomp.log
GresTypes=gpu
PartitionName=cpu Nodes=n1 Default=YES MaxTime=1-00:00:00
PartitionName=gpu Nodes=n2,n3 MaxTime=14-00:00:00
C
    for node in "${NODES[@]}"; do
        number=$((number + 1))
        # Pretended sizes: more than the machine has, so that real requests fit.
        echo "NodeName=$node NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((port + 20 + number)) CPUs=32 Sockets=1" \
            "CoresPerSocket=32 ThreadsPerCore=1 RealMemory=256000$([ "$node" = n1 ] || echo ' Gres=gpu:2')"
    done >>"$LAB/etc/slurm.conf"
    # GPUs need a device file each; these two exist everywhere.
    printf 'AutoDetect=off\nNodeName=n[2-3] Name=gpu File=/dev/null,/dev/zero\n' >"$LAB/etc/gres.conf"
    # Snakemake drops SLURM_CONF before it calls srun: this wrapper, first in PATH, gives it back.
    printf '#!/bin/sh\nexport SLURM_CONF=%s\nexec /usr/bin/srun "$@"\n' "$SLURM_CONF" >"$LAB/bin/srun"
    chmod 755 "$LAB/bin/srun"
}

up() {
    # Told not to listen everywhere, Slurm's programs listen where the host name leads.
    getent ahostsv4 "$(hostname)" | grep -q '^127\.' || die "add to /etc/hosts first: 127.0.0.1 $(hostname)"
    umask 022
    mkdir -p "$LAB"/{bin,etc,state,pid,log} "${NODES[@]/#/$LAB/spool/}"
    configure
    (umask 077 && head -c 128 /dev/urandom >"$LAB/munge.key")
    munged --key-file="$LAB/munge.key" --socket="$LAB/munge.sock" --pid-file="$LAB/pid/munged" \
        --log-file="$LAB/log/munged.log" --seed-file="$LAB/munge.seed" --num-threads=2
    wait_for 10 munged bash -c "munge -n -S $LAB/munge.sock | unmunge -S $LAB/munge.sock"
    slurmctld
    wait_for 30 slurmctld bash -c "timeout 3 scontrol ping | grep -q 'is UP'"
    for node in "${NODES[@]}"; do slurmd -N "$node"; done
    wait_for 30 'idle nodes' bash -c '[ "$(timeout 3 sinfo -h -N -o %t | sort -u)" = idle ]'
}

down() { # TERM, ten seconds, KILL: a slurmd without its controller ignores TERM for minutes
    local name pid
    local names=("${NODES[@]/#/slurmd-}" slurmctld munged)
    ! alive slurmctld || timeout 10 scancel --user="$(id -un)" || true
    for _ in $(seq 100); do
        [ -n "$(timeout 3 squeue -h 2>/dev/null)" ] || break
        sleep 0.1
    done
    for name in "${names[@]}"; do ! alive "$name" || kill "$(cat "$LAB/pid/$name")" || true; done
    for name in "${names[@]}"; do
        [ -s "$LAB/pid/$name" ] || continue
        pid=$(cat "$LAB/pid/$name" 2>/dev/null) || continue
        for _ in $(seq 100); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -9 "$pid" 2>/dev/null || true
        rm -f "$LAB/pid/$name"
    done
}

LAB=${2:-}
export SLURM_CONF=$LAB/etc/slurm.conf
case ${1:-} in
install) install ;;
up | down) [ -n "$LAB" ] && "$1" ;;
env) echo "export SLURM_CONF=$SLURM_CONF PATH=$LAB/bin:\$PATH" ;;
*)
    sed -n '2,6p' "$0"
    exit 2
    ;;
esac
