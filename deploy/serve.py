"""What `make serve` needs before it installs anything, and how the server is started: Aegra with this project's graphs.

python deploy/serve.py check     says what is missing, within five seconds
python deploy/serve.py python    prints a Python that Aegra runs on
python deploy/serve.py run       starts the server; in the venv that has it

Only `run` imports what is not in the standard library.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

OLDEST = (3, 12)
"""Of Python: on an older one the installer quietly takes a version of Aegra of a year ago."""

HERE = Path(__file__).parent.parent
VENV = HERE / ".venv-serve" / "bin" / "python"
ADDRESS = "DATABASE_URL"
RUN_LOG = "CUPEL_DATABASE_URL"
_ASK_S = 3.0
_INSTEAD = "`make dev` serves the same graphs without it."


def main(what: str) -> int:
    """Do one of the three; the exit code."""
    env = {**read_env(HERE / ".env"), **os.environ}
    if what == "python":
        found = find_python(env)
        sys.stdout.write(f"{found}\n")
        return 0 if found else 1
    missing = [fault for fault in (python_fault(env), database_fault(env)) if fault]
    if missing:
        sys.stderr.write("".join(f"make serve: {fault}\n" for fault in missing) + f"{_INSTEAD}\n")
        return 2
    return start(env) if what == "run" else 0


def read_env(path: Path) -> dict[str, str]:
    """What `.env` sets, as `NAME=value` lines have it: this is read before anything that reads more is installed."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    parts = (
        line.removeprefix("export ").partition("=") for line in lines if not line.lstrip().startswith("#")
    )
    return {name.strip(): value.strip().strip("\"'") for name, is_set, value in parts if is_set}


def python_fault(env: Mapping[str, str]) -> str:
    """Why there is no Python for Aegra; empty where there is one."""
    if find_python(env):
        return ""
    named = env.get("SERVE_PYTHON")
    found = f"{named} is none" if named else "none was found here"
    wanted = ".".join(map(str, OLDEST))
    return f"Aegra needs Python {wanted} or newer, and {found}; install one, or say where it is: make serve SERVE_PYTHON=/path/to/python{wanted}"


def find_python(env: Mapping[str, str]) -> str:
    """A Python that is new enough: the one `SERVE_PYTHON` names, or the first of those that lie about; empty for none."""
    named = env.get("SERVE_PYTHON")
    candidates = [named] if named else [str(VENV), *_pythons(env)]
    return next((program for program in candidates if _version(program) >= OLDEST), "")


def _pythons(env: Mapping[str, str]) -> Iterator[str]:
    """Names on the path, then where pyenv and uv put theirs: their programs on the path may be none."""
    yield from ("python3.12", "python3.13", "python3.14", "python3")
    home = Path(env.get("HOME") or "/nowhere")
    for folder in (
        Path(env.get("PYENV_ROOT") or home / ".pyenv") / "versions",
        home / ".local/share/uv/python",
    ):
        yield from (str(path) for path in sorted(folder.glob("*3.1[2-9]*/bin/python3")))


def _version(program: str) -> tuple[int, ...]:
    asked = "import sys; print(*sys.version_info[:2])"
    try:
        said = subprocess.run(
            [program, "-c", asked], capture_output=True, text=True, timeout=_ASK_S, check=True
        )
        return tuple(int(part) for part in said.stdout.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return (0,)


def database_fault(env: Mapping[str, str]) -> str:
    """Why no PostgreSQL can be asked; empty where something listens at the address given."""
    address = env.get(ADDRESS, "")
    if not address:
        return (
            f"Aegra keeps threads in a PostgreSQL; give the address of one: "
            f"{ADDRESS}=postgresql://user:password@host/database, in the environment or in .env"
        )
    if not re.match(r"postgres(ql)?(\+\w+)?://", address):
        return f"{ADDRESS} is no address of a PostgreSQL; it begins with postgresql://"
    if _same_database(address, env.get(RUN_LOG, "")):
        return (
            f"{ADDRESS} and {RUN_LOG} name the same database, and both sides keep their tables' version under one name there; "
            "give the run log a database of its own: createdb cupel"
        )
    places = list(_places(address, env))
    if any(map(_listens, places)):
        return ""
    shown = ", ".join(place if isinstance(place, str) else f"{place[0]}:{place[1]}" for place in places)
    return f"no PostgreSQL answers at {shown}, where {ADDRESS} says it is; start it, or mend the address"


def _same_database(one: str, other: str) -> bool:
    def named(address: str) -> tuple[str, str]:
        parts = urlsplit(address)
        return parts.netloc.rpartition("@")[2].removesuffix(":5432"), parts.path.strip("/")

    return bool(other) and other.startswith("postgres") and named(one) == named(other)


def _places(address: str, env: Mapping[str, str]) -> Iterator[str | tuple[str, int]]:
    """Where an address leads: hosts and ports, or files of sockets where it names no host."""
    parts = urlsplit(address)
    query = parse_qs(parts.query)
    hosts = (
        unquote(parts.netloc.rpartition("@")[2]) or ",".join(query.get("host", [])) or env.get("PGHOST", "")
    )
    port = ",".join(query.get("port", [])) or env.get("PGPORT") or "5432"
    for one in hosts.split(",") if hosts else ("/var/run/postgresql", "/run/postgresql", "/tmp"):  # noqa: S108 # where servers put their sockets
        if one.startswith("/"):
            yield f"{one}/.s.PGSQL.{port}"
            continue
        host, _, own = one.rpartition(":") if re.search(r":\d+$", one) else (one, "", port)
        yield host.strip("[]"), int(own.partition(",")[0])


def _listens(place: str | tuple[str, int]) -> bool:
    try:
        if isinstance(place, tuple):
            socket.create_connection(place, _ASK_S).close()
            return True
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_ASK_S)
            asking.connect(place)
            return True
    except OSError:
        return False


def start(env: Mapping[str, str]) -> int:
    """Become the server; an exit code where the database will not have us."""
    import psycopg

    address = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", env[ADDRESS])
    try:
        psycopg.connect(address, connect_timeout=int(_ASK_S)).close()
    except (psycopg.Error, UnicodeError) as error:
        why = str(error).strip().splitlines() or [type(error).__name__]
        sys.stderr.write(
            f"make serve: the PostgreSQL at {ADDRESS} does not let us in: {why[-1]}\n{_INSTEAD}\n"
        )
        return 2
    host, port = env.get("SERVE_HOST") or "127.0.0.1", env.get("SERVE_PORT") or "2026"
    if not port.isdigit() or not 0 < int(port) < 65536:
        sys.stderr.write(f"make serve: SERVE_PORT is {port!r}; give a number from 1 to 65535\n")
        return 2
    os.chdir(HERE)
    settled = {
        "AEGRA_CONFIG": "langgraph.json", "LOG_LEVEL": "INFO", "LOG_VERBOSITY": "standard",
        "ENV_MODE": "LOCAL" if sys.stdout.isatty() else "PRODUCTION",  # colours for eyes, JSON for files
        **env, ADDRESS: address, "HOST": host, "PORT": port,
    }  # fmt: skip
    sys.stderr.write(
        f"Aegra with Cupel's graphs: http://{host}:{port} (docs under /docs; ends with Ctrl-C)\n"
    )
    sys.stderr.flush()
    server = [sys.executable, "-m", "uvicorn", "aegra_api.main:app", "--host", host, "--port", port]
    os.execve(sys.executable, server, settled)  # noqa: S606 # arguments of our own, no shell
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "check"))
