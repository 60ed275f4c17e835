"""A server of what a workflow starts as `python -m monai...`, in processes that have everything imported already."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread

from committed import processes
from tried import run_program


@contextmanager
def served(folder: Path) -> Iterator[None]:
    """While it is open, `fresh/sitecustomize.py` finds the server, whose address is in a folder."""
    processes()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "served"))
        server.listen()
        Thread(target=_accept, args=(server,), daemon=True).start()
        os.environ["SERVED_AT"] = str(folder / "served")
        yield
        del os.environ["SERVED_AT"]
        server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket) -> None:
    """Run what is asked for, until the server is closed."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        Thread(target=_run, args=(connection,), daemon=True).start()


def _run(connection: socket.socket) -> None:
    """Run a program and send its exit code; where the process that asks is killed, also before it asks, end."""
    with connection, connection.makefile() as lines, suppress(ConnectionError):
        asked = lines.readline()
        if not asked.endswith("\n"):
            return
        program, folder, log = json.loads(asked)
        process = processes().Process(target=_ended, args=(program, folder, log))
        process.start()
        if connection in wait([process.sentinel, connection]):
            process.kill()
            return
        process.join()
        connection.sendall(str(process.exitcode).encode())


def _ended(program: list[str], folder: str, log: str) -> None:
    """Run a module, the first of a program's words, with the others, and end as it does."""
    os._exit(run_program(program[0], program[1:], Path(folder), Path(log)))
