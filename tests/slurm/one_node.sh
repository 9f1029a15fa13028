#!/usr/bin/env bash
# Slurm on this one Debian machine, and a sweep of two runs through it. As root, in a machine or container to throw away:
#   PYTHON=.venv/bin/python bash tests/slurm/one_node.sh
# The second sweep is told to make room while it trains (SIGUSR2, as before a time limit or a preemption): submitit must
# requeue it, and the run must go on from its checkpoint. Needs the extra: pip install 'prepsweep[slurm]'.
set -euo pipefail

python=$(realpath -s "${PYTHON:-python}")
if [ -e /etc/slurm/slurm.conf ] && ! grep -qx "ClusterName=one_node_test" /etc/slurm/slurm.conf; then
  echo "error: /etc/slurm/slurm.conf: this machine has a Slurm already. fix: use a container" >&2
  exit 2
fi
work=$(mktemp -d)
node=$(hostname -s)
stop() {
  set +e
  for name in slurmd slurmctld munge/munged; do [ -e "/run/$name.pid" ] && kill "$(cat "/run/$name.pid")"; done
  echo "files of this test: $work"
}
trap stop EXIT

if ! command -v slurmctld > /dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge > /dev/null
fi

# No accounting: submitit then learns how a job ended from its result file.
cat > /etc/slurm/slurm.conf << CONF
ClusterName=one_node_test
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$work/ctld
SlurmdSpoolDir=$work/d
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
JobRequeue=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF
mkdir -p "$work/ctld" "$work/d" /run/munge
[ -e /etc/munge/munge.key ] || mungekey --create
chown -R munge: /run/munge /etc/munge
runuser -u munge -- munged --force
slurmctld
slurmd
for _ in $(seq 30); do sinfo --noheader --format=%T 2> /dev/null | grep -q idle && break; sleep 1; done
sinfo

cd "$work"
"$python" - << 'ROWS'
import random
rng = random.Random(0)
words = {"good": ["lovely", "bright", "moving"], "bad": ["dull", "flat", "awful"]}
with open("reviews.csv", "w", encoding="utf-8") as file:
    print("text,label", file=file)
    for i in range(400):
        label = ("good", "bad")[i % 2]
        print(f"film number {i} is {rng.choice(words[label])} and {rng.choice(words[label])},{label}", file=file)
ROWS
common=(data=csv data.path=reviews.csv logger=none trainer=cpu budget=steps hydra/launcher=slurm hydra.launcher.cpus_per_task=1)
train() { "$python" -c 'import sys; from prepsweep.cli import train; sys.exit(train())' -m "${common[@]}" "$@"; }
statuses() { "$python" -c 'import json, sys; print(*(json.load(open(name))["status"] for name in sys.argv[1:]))' "$@"; }

train study=two budget.steps=4 seed=0,1
[ "$(statuses multirun/two/*/run.json)" = "finished finished" ]
echo "a sweep of two runs through Slurm: ok"

train study=room budget.steps=1000 model.batch_size=4 seed=0 &
sweep=$!
until ls multirun/room/*/run.json > /dev/null 2>&1 && [ "$(squeue --noheader --format=%T)" = RUNNING ]; do sleep 1; done
sleep "${TRAIN_SECONDS:-20}"
scancel --signal=USR2 "$(squeue --noheader --format=%A | head -1)"
wait "$sweep"
[ "$(statuses multirun/room/*/run.json)" = finished ]
grep "preempted by\|continues after step" multirun/room/*/train.log
grep -hi requeu multirun/room/.slurm/*/*.err
echo "a run that made room went on in the requeued job: ok"
