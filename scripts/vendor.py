"""Brings the pages' libraries here, from npm: `python -m scripts.vendor`.

`lock.json` beside them says which: package, version, npm's integrity of the archive, licence, and
of each file the name here, that in the archive, what is replaced in it, and SHA-256. For a new
version change version and integrity there, run this with `--new`, and look at what has changed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DIRECTORY = ROOT / "ebprof" / "collector" / "pages" / "static" / "vendor"
LOCK = DIRECTORY / "lock.json"


def main() -> int:
    """Bring all files; 1 where one is not what the lock says."""
    parser = argparse.ArgumentParser(prog="scripts.vendor", description=__doc__)
    parser.add_argument("--new", action="store_true", help="write hashes of files into the lock")
    options = parser.parse_args()
    lock = read_lock()
    for entry in lock:
        bring(entry, is_new=options.new)
    if options.new:
        LOCK.write_text(json.dumps(lock, indent=2) + "\n")
    wrong = problems(lock)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def read_lock() -> list[dict[str, Any]]:
    """The entries, one a package."""
    found: list[dict[str, Any]] = json.loads(LOCK.read_text())
    return found


def bring(entry: dict[str, Any], *, is_new: bool) -> None:
    """Take a package's files out of its archive; raises ValueError where that is another one."""
    with tempfile.TemporaryDirectory() as directory:
        name = f"{entry['package']}@{entry['version']}"
        command = ["npm", "pack", "--silent", "--pack-destination", directory, name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(directory).iterdir()
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != entry["integrity"]:
            raise ValueError(f"{name} is sha512-{digest}, not {entry['integrity']}")
        with tarfile.open(archive) as found:
            for file in entry["files"]:
                member = found.extractfile(f"package/{file['from']}")
                assert member is not None
                data = _replaced(member.read(), file)
                (DIRECTORY / file["name"]).write_bytes(data)
                if is_new:
                    file["sha256"] = hashlib.sha256(data).hexdigest()


def _replaced(data: bytes, file: dict[str, Any]) -> bytes:
    """A file with the one text replaced that the lock names: browsers know no package's name."""
    if "replace" not in file:
        return data
    old, new = (text.encode() for text in file["replace"])
    if data.count(old) != 1:
        raise ValueError(f"{file['name']} has {data.count(old)} times {file['replace'][0]}")
    return data.replace(old, new)


def problems(lock: list[dict[str, Any]]) -> list[str]:
    """What of the directory is not as the lock says, a line each."""
    known = {file["name"]: file["sha256"] for entry in lock for file in entry["files"]}
    found = [f"{path.name} is not in {LOCK.name}" for path in _files() if path.name not in known]
    for name, digest in known.items():
        path = DIRECTORY / name
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            found.append(f"{name} is not what {LOCK.name} says")
    return found


def _files() -> list[Path]:
    return sorted(path for path in DIRECTORY.iterdir() if path != LOCK)


if __name__ == "__main__":
    sys.exit(main())
