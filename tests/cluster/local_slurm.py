"""A Slurm of two nodes on this machine, from Debian's packages, for tests.

Everything lies in one folder: no file of the system is read or written, and nothing listens beyond
loopback. Packages: slurmctld, slurmd, slurm-client, munge.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sinfo", "sbatch", "srun")
NODES = ("n1", "n2")
# More than there is, as the jobs ask for what real slides need; they use a small part of it.
CPUS = 16
MEMORY_MB = 64_000
START_S = 60.0


def missing_programs() -> list[str]:
    """What must be installed first."""
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


@dataclass
class Slurm:
    """A Slurm that runs.

    Attributes
    ----------
    folder
        Configuration, logs and state.
    environment
        For everything that is to talk to it.
    nodes
        The daemon of each node.
    """

    folder: Path
    environment: dict[str, str]
    nodes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, *command: str) -> str:
        """What a client prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def start_node(self, name: str) -> None:
        """Start a node's daemon, for the first time or again."""
        self.nodes[name] = _start(self, "slurmd", "-D", "-N", name, log=name)

    def lose_node(self, name: str) -> None:
        """Kill a node's daemon and have Slurm notice at once; its jobs' processes live on.

        As where a node can't be reached any more but still runs.
        """
        self.nodes.pop(name).kill()
        self.run("scontrol", "update", f"nodename={name}", "state=down", "reason=lost")

    def wait_for(self, state: str, *, nodes: int = len(NODES), seconds: float = START_S) -> None:
        """Wait until so many nodes are in a state."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(subprocess.CalledProcessError):
                states = self.run("sinfo", "--noheader", "--Node", "--format=%T").split()
                if sum(found.startswith(state) for found in states) >= nodes:
                    return
            time.sleep(0.2)
        raise TimeoutError(f"{nodes} nodes aren't {state} after {seconds} s: see {self.folder}")


@contextmanager
def slurm(folder: Path) -> Iterator[Slurm]:
    """A Slurm of two nodes, each of two CPU cores and a stand-in for a GPU, for a block."""
    for name in ("state", "spool-n1", "spool-n2", "bin"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    conf = folder / "slurm.conf"
    conf.write_text(_configuration(folder))
    (folder / "gres.conf").write_text(f"NodeName={','.join(NODES)} Name=gpu File=/dev/null\n")
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"], "/usr/sbin", "/sbin"])
    environment = {**os.environ, "SLURM_CONF": str(conf), "PATH": path}
    # A job step of Snakemake's loses SLURM_CONF before it calls srun.
    shim = folder / "bin" / "srun"
    real = shutil.which("srun")
    shim.write_text(f'#!/bin/sh\nSLURM_CONF="{conf}" exec {real} "$@"\n')
    shim.chmod(0o755)
    # The sign of a GPU for which the workflow looks; PyTorch doesn't find any.
    (folder / "bin" / "nvidia-smi").symlink_to("/bin/true")
    found = Slurm(folder, environment)
    others = []
    try:
        others.append(_munged(found))
        others.append(_start(found, "slurmctld", "-D", log="slurmctld"))
        for name in NODES:
            found.start_node(name)
        found.wait_for("idle")
        yield found
    finally:
        with suppress(subprocess.CalledProcessError, FileNotFoundError):
            found.run("scancel", f"--user={getpass.getuser()}")
        for process in (*found.nodes.values(), *reversed(others)):
            process.send_signal(signal.SIGTERM)
        for process in (*found.nodes.values(), *others):
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _munged(slurm: Slurm) -> subprocess.Popen[bytes]:
    """Munge signs what clients and daemons say to one another."""
    folder = slurm.folder / "munge"
    folder.mkdir()
    key = folder / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    process = _start(
        slurm,
        "munged",
        "--foreground",
        "--force",
        f"--key-file={key}",
        f"--socket={folder / 'socket'}",
        f"--pid-file={folder / 'pid'}",
        f"--seed-file={folder / 'seed'}",
        log="munged",
    )
    end = time.monotonic() + START_S
    while not (folder / "socket").exists():
        if time.monotonic() > end or process.poll() is not None:
            raise TimeoutError(f"munged doesn't start: see {slurm.folder / 'munged.log'}")
        time.sleep(0.05)
    return process


def _start(slurm: Slurm, *command: str, log: str) -> subprocess.Popen[bytes]:
    with (slurm.folder / f"{log}.log").open("ab") as file:
        return subprocess.Popen(command, env=slurm.environment, stdout=file, stderr=file)


def _configuration(folder: Path) -> str:
    host = socket.gethostname().split(".")[0]
    user = getpass.getuser()
    ports = _free_ports(1 + len(NODES))
    lines = [
        "ClusterName=test",
        f"SlurmctldHost={host}(127.0.0.1)",
        f"SlurmctldPort={ports[0]}",
        "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny",
        f"AuthInfo=socket={folder / 'munge' / 'socket'}",
        f"SlurmUser={user}",
        f"SlurmdUser={user}",
        f"StateSaveLocation={folder / 'state'}",
        f"SlurmdSpoolDir={folder}/spool-%n",
        f"SlurmdPidFile={folder}/slurmd-%n.pid",
        f"SlurmctldPidFile={folder}/slurmctld.pid",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "SwitchType=switch/none",
        "MpiDefault=none",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core_Memory",
        "JobAcctGatherType=jobacct_gather/linux",
        "JobAcctGatherFrequency=1",
        "JobAcctGatherParams=OverMemoryKill",
        "AccountingStorageType=accounting_storage/none",
        "SchedulerParameters=sched_interval=1,bf_interval=1",
        "ReturnToService=2",
        "SlurmdTimeout=20",
        "KillWait=5",
        "MinJobAge=300",
        "SlurmdParameters=config_overrides",
        "GresTypes=gpu",
    ]
    lines += [
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS} "
        f"RealMemory={MEMORY_MB} Gres=gpu:1"
        for name, port in zip(NODES, ports[1:], strict=True)
    ]
    lines.append(f"PartitionName=all Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP")
    return "\n".join(lines) + "\n"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
