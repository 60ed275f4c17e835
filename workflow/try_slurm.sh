#!/usr/bin/env bash
# Tries the workflow on a SLURM cluster of this one machine: a job and the controller are killed, and it goes on.
#
# Usage, as root: bash workflow/try_slurm.sh [FOLDER]
# Needs: apt-get install slurm-wlm munge; pip install -e ".[benchmark]" snakemake-executor-plugin-slurm
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
out="$(realpath -m "${1:-slurm_trial}")"
patience=900 # seconds for one state to come
for program in slurmctld slurmd sbatch munged; do
    command -v "$program" > /dev/null || { echo "error: $program is not installed: apt-get install slurm-wlm munge" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "error: the daemons of SLURM are started by root" >&2; exit 1; }
mkdir -p "$out/controller" "$out/node"

node="$(hostname -s)"
conf=/etc/slurm/slurm.conf # where jobs look for it: Snakemake hands SLURM_CONF on to none
if [ -e "$conf" ] && ! grep -q "ClusterName=trial" "$conf"; then
    echo "error: $conf is of another cluster" >&2
    exit 1
fi
cat > "$conf" << END
ClusterName=trial
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MinJobAge=3600
StateSaveLocation=$out/controller
SlurmdSpoolDir=$out/node
SlurmctldPidFile=$out/controller.pid
SlurmdPidFile=$out/node.pid
SlurmctldLogFile=$out/controller.log
SlurmdLogFile=$out/node.log
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc --all) State=UNKNOWN
PartitionName=trial Nodes=$node Default=YES MaxTime=INFINITE State=UP
END

say() { echo "$(date +%T) $*"; }

wait_for() { # wait_for WHAT COMMAND...: until the command succeeds
    local what="$1" end=$((SECONDS + patience))
    shift
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "error: after $patience s there is no $what" >&2; exit 1; }
        sleep 1
    done
    say "$what"
}

stop() {
    kill "${run:-}" 2> /dev/null || true
    scancel --user root 2> /dev/null || true
    for daemon in controller node; do kill "$(cat "$out/$daemon.pid" 2> /dev/null)" 2> /dev/null || true; done
}
trap stop EXIT

workflow() {
    python -m snakemake --snakefile "$here/Snakefile" --directory "$out" --profile "$here/profiles/slurm" \
        --default-resources slurm_account=trial slurm_partition=trial runtime=30 mem_mb=1 cpus_per_task=1 \
        --slurm-status-command squeue --slurm-init-seconds-before-status-checks 10 --latency-wait 5 \
        --config out="$out" methods="[ce,nacl]" seeds="[0]" epochs=2 num_phantoms=6
}

one_runs() { # whether a job of a rule runs
    squeue --noheader --states=running --format=%k | grep -q "rule_$1"
}

ended() { ! squeue --noheader --states=running --jobs="$1" | grep -q .; }

answers() { scontrol ping | grep -q UP; }

pgrep -x munged > /dev/null || { install -d -o munge /run/munge; runuser -u munge -- munged; }
slurmctld -c
slurmd
wait_for "the node is idle" sh -c "sinfo --noheader --format=%T | grep -q idle"

workflow > "$out/first.log" 2>&1 &
run=$!
wait_for "a training runs" one_runs train
killed="$(squeue --noheader --states=running --format="%i %k" | awk '/rule_train/ {print $1; exit}')"
scancel --signal=KILL --full "$killed"
wait_for "job $killed was killed" ended "$killed"
wait_for "another training has begun" sh -c "grep -q . '$out'/phantoms/unet/*/seed0_fold0/train.log"
kill -KILL "$(cat "$out/controller.pid")"
say "the controller was killed"
sleep 2 # longer, and Snakemake may turn to sacct for good, which there is not without SLURM's database
slurmctld
wait_for "the controller answers again" answers
code=0
wait "$run" || code=$?
say "the first run ended with $code; it wrote $(find "$out" -name train.json | wc -l) of 2 trainings"

workflow > "$out/second.log" 2>&1
say "the second run ended with 0; it submitted $(grep -c "has been submitted with SLURM jobid" "$out/second.log") jobs"
squeue --noheader --states=all --format="%i %T %k"
ls "$out"/phantoms/tables/main/results.json
