"""`dragonfly-doors`: prints the variables for a shell, or runs a program with them."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from typing import List, Optional

from .daemon import DaemonNotFound, find_daemon
from .doors import environment_of


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        prog="dragonfly-doors",
        description="Leads clients of Hugging Face, ModelScope and S3 through the dfdaemon of this node. "
        "Without a program: prints the variables for a shell.",
    )
    parser.add_argument("--proxy", help="URL of the daemon's proxy; by default DRAGONFLY_PROXY, or its usual port")
    parser.add_argument("--optional", action="store_true", help="run the program also where no daemon answers")
    parser.add_argument("program", nargs=argparse.REMAINDER, help="program and its arguments, after --")
    options = parser.parse_args(arguments)
    program: List[str] = options.program[1:] if options.program[:1] == ["--"] else options.program
    try:
        variables = environment_of(find_daemon(options.proxy))
    except DaemonNotFound as error:
        print(f"dragonfly-doors: {error}", file=sys.stderr)
        if not (options.optional and program):
            return 1
        variables = {}
    if not program:
        for name, value in variables.items():
            print(f"export {name}={shlex.quote(value)}")
        return 0
    try:
        os.execvpe(program[0], program, {**os.environ, **variables})
    except OSError as error:
        print(f"dragonfly-doors: {program[0]}: {error.strerror}", file=sys.stderr)
        return 127
