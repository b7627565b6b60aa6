"""A running local Hub as a test holds it: start, stop, ask for faults, read the log, run clients against it."""

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from .hub_faults import Fault
from .hub_store import HubStore

TESTS = Path(__file__).resolve().parent.parent
SCRIPTS = TESTS.parent / "scripts"
USER, TOKEN = "tester", "hf_local_test_token"
# The libraries' waits between two tries take no time.
CALL = (
    "import importlib, json, sys, time; time.sleep = lambda seconds: None; "
    "module, name, arguments, result = sys.argv[1:]; "
    "value = getattr(importlib.import_module(module), name)(*json.loads(arguments)); "
    "open(result, 'w').write(json.dumps(value))"
)


def refused(call: Callable, *arguments, **keywords) -> str:
    """The class name of the error that a client raises, "" if it raises none."""
    try:
        call(*arguments, **keywords)
    except Exception as error:
        return type(error).__name__
    return ""


class LocalHub:
    """A server process over a store. Its user `tester` has a write token and the organisation `blindspots`.

    Tokens, tags and repos are changed through `store`; they live on disk and the server reads them at each request.
    """

    def __init__(self, store: Path, home: Path):
        self.store, self.home = HubStore(Path(store).resolve()), Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        if TOKEN not in self.store.tokens():
            self.store.add_token(TOKEN, USER, orgs={"blindspots": "admin"})
        command = [sys.executable, "-m", "hub.hub_server", str(self.store.root)]
        self.process = subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True)
        self.endpoint = self.process.stdout.readline().strip()
        if not self.endpoint:
            raise RuntimeError("The local Hub did not start; its error is above.")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def environment(self, token: str | None = TOKEN, home: Path | None = None) -> dict[str, str]:
        """The environment of a client: this Hub, a cache of its own, and no other host."""
        others = re.compile(r"HF_|HUGGING|.*_PROXY$", re.IGNORECASE)
        ours = {key: value for key, value in os.environ.items() if not others.match(key)}
        ours |= {"HF_ENDPOINT": self.endpoint, "HF_HOME": str(home or self.home), "HF_HUB_OFFLINE": "0"}
        ours |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_UPDATE_DOWNLOAD_COUNTS": "0"}
        ours |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "OMP_NUM_THREADS": "1"}
        ours["PYTHONPATH"] = str(SCRIPTS)
        return ours | ({"HF_TOKEN": token} if token else {})

    def start(self, *command: str, cwd: Path | None = None, **environment) -> subprocess.Popen:
        """A client process, `python <command>`, its output captured as text; `environment` as that method takes it."""
        # A job in the background of a shell ignores Ctrl-C, and so would all that it starts.
        heeds_ctrl_c = ["env", "--default-signal=INT"]
        return subprocess.Popen(
            [*heeds_ctrl_c, sys.executable, *map(str, command)],
            cwd=cwd,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, **environment) -> subprocess.CompletedProcess:
        """Run a client script to its end, whatever its exit code."""
        process = self.start(*command, **environment)
        stdout, stderr = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def call(self, function: Callable, *arguments: Any, **environment) -> Any:
        """Call a test module's function in a client process; arguments and result are what JSON can hold."""
        result = self.home / f"result-{os.urandom(4).hex()}.json"
        module, name = function.__module__, function.__name__
        root = Path(inspect.getfile(function)).resolve().parents[module.count(".")]  # where `import module` finds it
        done = self.run("-c", CALL, module, name, json.dumps(arguments), result, cwd=root, **environment)
        assert done.returncode == 0, f"{function.__name__} failed:\n{done.stderr}"
        return json.loads(result.read_text())

    def fault(self, kind: str, method: str = ".*", path: str = ".*", **settings) -> None:
        """Let requests to come go wrong; see `hub_faults.Fault` for the kinds and settings."""
        self.control("POST", "faults", vars(Fault(kind, method, path, **settings)))

    def wait_for_fault(self) -> None:
        """Return once a fault has happened to a request, however long the client takes to make one."""
        self.control("GET", "hit")

    def faults(self) -> list[dict]:
        """The faults asked for, with how many requests matched and how many were hit."""
        return self.control("GET", "faults")

    def clear(self) -> None:
        """No faults, an empty log."""
        for target in ("faults", "requests"):
            self.control("DELETE", target)

    def requests(self, method: str | None = None, path: str = "") -> list[dict]:
        """The log: method, path, query, user, range, status (None where the connection was cut), fault."""
        log = self.control("GET", "requests")
        return [entry for entry in log if method in (None, entry["method"]) and path in entry["path"]]

    def control(self, method: str, target: str, content: dict | None = None) -> list[dict]:
        body = None if content is None else json.dumps(content).encode()
        with urlopen(Request(f"{self.endpoint}/_control/{target}", body, method=method)) as answer:
            return json.load(answer)
