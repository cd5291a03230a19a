"""Finds a system Asterisk, or unpacks a private one from the Debian packages: no root, nothing installed.

The private one comes through apt from the mirror that this system's own sources name, with apt's signature
checks, into a cache directory that all instances share. It brings its own C library and loader, so that it
does not depend on the system's.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ari_assistant.fault import Fault

__all__ = ["AsteriskBinary", "AsteriskFault", "Progress", "cache_dir", "find_system", "obtain"]

MINIMUM_MAJOR = 20
_SUITE = "forky"

Progress = Callable[[str, int, int], None]
"""`progress(what, done, total)`; a total of 0 means that the end is not known."""


class AsteriskFault(Fault):
    """No Asterisk can be had or started."""


@dataclass(frozen=True, slots=True)
class AsteriskBinary:
    """How to start an Asterisk, and where its modules and its documentation are."""

    command: tuple[str, ...]
    version: str
    modules: Path
    data: Path

    @property
    def major(self) -> int:
        """22 for `Asterisk 22.10.1`; 0 when it cannot be read."""
        return _major(self.version)


def _major(version: str) -> int:
    match = re.search(r"Asterisk (?:GIT-|certified[-/])?(\d+)", version)
    return int(match[1]) if match else 0


def _version(command: tuple[str, ...]) -> str:
    try:
        result = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip()


def cache_dir() -> Path:
    """Where private Asterisks are kept: `$XDG_CACHE_HOME/ari-assistant`, else `~/.cache/ari-assistant`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ari-assistant"


# -- the system's -------------------------------------------------------------------------------------------


def find_system(path: str | None = None) -> AsteriskBinary | None:
    """The Asterisk at `path`, or the one of this system when it is 20 or later, else None.

    Raises AsteriskFault when `path` is given and is no usable Asterisk.
    """
    candidates = [path] if path else [shutil.which("asterisk"), "/usr/sbin/asterisk", "/usr/local/sbin/asterisk"]
    for candidate in candidates:
        if not candidate or not os.access(candidate, os.X_OK):
            continue
        version = _version((candidate,))
        modules = _system_modules(Path(candidate))
        if _major(version) >= MINIMUM_MAJOR and modules is not None:
            prefix = Path(candidate).resolve().parent.parent
            places = (prefix / "share/asterisk", Path("/usr/share/asterisk"), Path("/var/lib/asterisk"))
            data = next((place for place in places if (place / "documentation").is_dir()), places[1])
            return AsteriskBinary((candidate,), version, modules, data)
        if path:
            raise AsteriskFault(
                f"{path} is {version or 'no Asterisk'}",
                cure=f"name an Asterisk {MINIMUM_MAJOR} or later, or set ARI_ASSISTANT_ASTERISK=private",
            )
    if path:
        raise AsteriskFault(
            f"ARI_ASSISTANT_ASTERISK: {path} does not exist or cannot be run",
            cure="write auto, private, the path of an asterisk binary, or the address of a running one,"
            " for example http://127.0.0.1:8088",
        )
    return None


def _system_modules(binary: Path) -> Path | None:
    prefix = binary.resolve().parent.parent
    patterns = ("lib/*/asterisk/modules", "lib/asterisk/modules", "lib64/asterisk/modules")
    for base in (prefix, Path("/usr")):
        for pattern in patterns:
            for found in sorted(base.glob(pattern)):
                if (found / "chan_pjsip.so").is_file():
                    return found
    return None


# -- a private one ------------------------------------------------------------------------------------------

_LOADERS = {
    "x86_64": ("amd64", "lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu"),
    "aarch64": ("arm64", "lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu"),
}

_ADMINISTRATION = re.compile(
    r"(adduser|passwd|perl.*|libperl.*|gnupg.*|gpg.*|dirmngr|pinentry.*|init-system-helpers|sysuser.*|systemd.*"
    r"|libsystemd-shared|dpkg|tar|sed|tzdata|pci\.ids|libsnmp-base|libc-gconv-modules-extra|debconf|login.*"
    r"|util-linux|freetds-common|media-types|sensible-utils|ucf|openssl|ca-certificates|openssl-provider-legacy"
    r"|libgpgme.*|libassuan.*|libksba.*|libnpth.*|libpam.*|libmount.*|libblkid.*|libsemanage.*|libsepol.*"
    r"|libaudit.*|libpci.*|libsensors.*|libelf.*|readline-common|unixodbc-common|dahdi.*|coreutils|libcrypt1-)"
)
"""Packages that administer a system; an Asterisk in a directory needs none of them."""

_APT_CONF = """\
Dir "{work}";
Dir::Etc "{work}/etc";
Dir::Etc::parts "apt.conf.d";
Dir::Etc::preferencesparts "preferences.d";
Dir::Etc::sourcelist "{sources}";
Dir::Etc::sourceparts "{sourceparts}";
Dir::Etc::trusted "/etc/apt/trusted.gpg";
Dir::Etc::trustedparts "/etc/apt/trusted.gpg.d";
Dir::State "{work}/state";
Dir::State::status "{work}/dpkg/status";
Dir::Cache "{work}/cache";
Dir::Log "{work}";
APT::Sandbox::User "";
APT::Install-Recommends "false";
APT::Architecture "{architecture}";
APT::Architectures "{architecture}";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::Check-Valid-Until "false";
Debug::NoLocking "true";
"""
# Valid-Until: a mirror or a dated snapshot may be older than that; the signature is checked all the same.


def obtain(choice: str, progress: Progress) -> AsteriskBinary:
    """`auto`, `private`, or a path → an Asterisk that can be started. Raises AsteriskFault."""
    if choice not in ("auto", "private"):
        found = find_system(choice)
        assert found is not None
        return found
    if choice == "auto" and (found := find_system()) is not None:
        return found
    return _private(progress)


def _private(progress: Progress) -> AsteriskBinary:
    machine = platform.machine()
    if machine not in _LOADERS:
        raise AsteriskFault(
            f"no private Asterisk for {machine}",
            cure=f"install Asterisk {MINIMUM_MAJOR} or later, or use compose.yaml",
        )
    missing = [tool for tool in ("apt-get", "apt-config", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise AsteriskFault(
            f"this is neither Debian nor Ubuntu: {', '.join(missing)} not found",
            cure=f"install Asterisk {MINIMUM_MAJOR} or later, or use compose.yaml",
        )
    suite = os.environ.get("ARI_ASSISTANT_ASTERISK_SUITE", _SUITE)
    prefix = cache_dir() / f"asterisk-{suite}"
    try:
        return _unpacked(prefix, suite, machine, progress)
    except OSError as fault:
        raise AsteriskFault(
            f"Asterisk cannot be unpacked in {prefix.parent}: {fault.strerror or fault}",
            cure="make room there (200 MB) and let this user write, or set XDG_CACHE_HOME to another place",
        ) from fault


def _unpacked(prefix: Path, suite: str, machine: str, progress: Progress) -> AsteriskBinary:
    """The private Asterisk below `prefix`, unpacked if it is not there yet. Raises AsteriskFault and OSError."""
    with _locked(prefix.with_suffix(".lock"), progress):
        if (prefix / "complete").is_file():
            binary = _binary(prefix, machine)
            if binary.major >= MINIMUM_MAJOR:
                return binary
        shutil.rmtree(prefix, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=prefix.parent, prefix="unpacking-") as temporary:
            tree = Path(temporary) / "tree"
            _Unpacking(Path(temporary), tree, suite, machine, progress).run()
            prefix.mkdir()
            tree.rename(prefix / "tree")
        binary = _binary(prefix, machine)
        if binary.major < MINIMUM_MAJOR:
            raise AsteriskFault(
                f"the unpacked Asterisk does not start ({binary.version or 'no version'})",
                cure=f"install Asterisk {MINIMUM_MAJOR} or later, or use compose.yaml",
            )
        (prefix / "complete").write_text(binary.version + "\n")
        return binary


def _binary(prefix: Path, machine: str) -> AsteriskBinary:
    tree = prefix / "tree"
    _, loader, triplet = _LOADERS[machine]
    command = (
        str(tree / loader),
        "--argv0", "asterisk",
        "--library-path", f"{tree}/usr/lib/{triplet}:{tree}/lib/{triplet}",
        str(tree / "usr/sbin/asterisk"),
    )  # fmt: skip
    modules = tree / "usr/lib" / triplet / "asterisk/modules"
    return AsteriskBinary(command, _version(command), modules, tree / "usr/share/asterisk")


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another process that unpacks Asterisk", 0, 0)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _Unpacking:
    """One run of apt with a configuration, lists and package state of its own."""

    def __init__(self, work: Path, tree: Path, suite: str, machine: str, progress: Progress) -> None:
        self._work = work
        self._tree = tree
        self._suite = suite
        self._architecture = _LOADERS[machine][0]
        self._progress = progress
        self._environment = {**os.environ, "APT_CONFIG": str(work / "apt.conf"), "LC_ALL": "C"}

    def run(self) -> None:
        """Index, download, unpack. Raises AsteriskFault."""
        self._configure()
        self._progress("reading the package index", 0, 0)
        self._apt("update", "-qq", "-o", "APT::Update::Error-Mode=any")
        packages = self._packages()
        self._download(packages)
        self._unpack()

    def _configure(self) -> None:
        for name in (
            "etc/apt.conf.d", "etc/preferences.d", "state/lists/partial", "cache/archives/partial", "dpkg"
        ):  # fmt: skip
            (self._work / name).mkdir(parents=True)
        (self._work / "dpkg/status").touch()
        mirror = os.environ.get("ARI_ASSISTANT_ASTERISK_MIRROR") or _debian_mirror()
        if mirror is not None:
            sources, sourceparts = self._work / "sources.list", "-"
            sources.write_text(f"deb [signed-by={self._keyring()}] {mirror} {self._suite} main\n")
        else:  # Ubuntu: its own archive has Asterisk 20 (universe)
            sources, sourceparts = Path("/etc/apt/sources.list"), "/etc/apt/sources.list.d"
        conf = _APT_CONF.format(
            work=self._work, sources=sources, sourceparts=sourceparts, architecture=self._architecture
        )
        conf += "".join(f"{line}\n" for line in _apt_config_dump() if line.startswith(_NETWORK_OPTIONS))
        (self._work / "apt.conf").write_text(conf)

    def _keyring(self) -> Path:
        for name in ("gpg", "pgp"):
            installed = Path(f"/usr/share/keyrings/debian-archive-keyring.{name}")
            if installed.is_file():
                return installed
        # Not Debian: the keyring package comes through the system's own, signed archive.
        subprocess.run(
            ["apt-get", "download", "-qq", "debian-archive-keyring"],
            cwd=self._work, check=False, capture_output=True,
        )  # fmt: skip
        for package in self._work.glob("debian-archive-keyring_*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, self._work / "keyring"], check=False)
        for found in sorted((self._work / "keyring").rglob("debian-archive-keyring.[gp]*")):
            if found.suffix in (".gpg", ".pgp"):
                return found
        raise AsteriskFault("Debian's archive keyring is missing", cure="apt-get install debian-archive-keyring")

    def _apt(self, *arguments: str, cwd: Path | None = None) -> str:
        result = subprocess.run(
            ["apt-get", *arguments],
            env=self._environment, cwd=cwd, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if result.returncode != 0:
            raise AsteriskFault(
                f"Asterisk's packages cannot be had, apt-get {arguments[0]}: {_first_error(result.stderr)}",
                cure="check the network and this system's apt sources, or install Asterisk 20 or later yourself",
            )
        return result.stdout

    def _packages(self) -> list[str]:
        planned = re.findall(r"^'[^']*' ([^_ ]+)_", self._apt("install", "-y", "--print-uris", "asterisk"), re.M)
        needed = sorted(name for name in set(planned) if not _ADMINISTRATION.fullmatch(name))
        if "asterisk" not in needed:
            raise AsteriskFault(
                "the archive has no package asterisk",
                cure=f"install Asterisk {MINIMUM_MAJOR} or later, or use compose.yaml",
            )
        return needed

    def _download(self, packages: list[str]) -> None:
        archives = self._work / "cache/archives"
        what = "downloading Asterisk"
        self._progress(what, 0, len(packages))
        with subprocess.Popen(
            ["apt-get", "-qq", "download", *packages],
            env=self._environment, cwd=archives, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            while True:
                try:
                    process.wait(0.2)
                    break
                except subprocess.TimeoutExpired:
                    self._progress(what, len(list(archives.glob("*.deb"))), len(packages))
            if process.returncode != 0:
                errors = process.stderr.read() if process.stderr is not None else ""
                raise AsteriskFault(
                    f"the download of Asterisk failed: {_first_error(errors)}",
                    cure="check the network and start again",
                )
        self._progress(what, len(packages), len(packages))

    def _unpack(self) -> None:
        debs = sorted((self._work / "cache/archives").glob("*.deb"))
        self._tree.mkdir()
        for number, deb in enumerate(debs, 1):
            done = subprocess.run(["dpkg-deb", "-x", deb, self._tree], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise AsteriskFault(
                    f"{deb.name} cannot be unpacked: {_first_error(done.stderr)}",
                    cure=f"make room in {cache_dir()} (200 MB) and start again",
                )
            self._progress("unpacking Asterisk", number, len(debs))
        for name in ("doc", "man", "lintian", "locale", "bug", "info", "snmp"):
            shutil.rmtree(self._tree / "usr/share" / name, ignore_errors=True)
        for link, target in (("lib", "usr/lib"), ("lib64", "usr/lib64")):
            if not (self._tree / link).exists():
                (self._tree / link).symlink_to(target)


def _first_error(stderr: str) -> str:
    """The first line that says what is wrong, of what apt or dpkg-deb printed."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("E:")), lines[-1] if lines else "no reason given")[:300]


_NETWORK_OPTIONS = ("Acquire::http::", "Acquire::https::", "Acquire::http ", "Acquire::https ")


def _apt_config_dump() -> list[str]:
    """The system's apt options: a proxy or a certificate that is set there stays in force."""
    result = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
    return result.stdout.splitlines()


def _debian_mirror() -> str | None:
    """The Debian mirror of this system's apt sources, or None when it has none (Ubuntu)."""
    result = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True, check=False
    )
    for uri in result.stdout.splitlines():
        if re.search(r"/debian/?$", uri):
            return uri
    # Lists that were never updated are not in indextargets: read the sources themselves.
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for file in files:
        if file.suffix in (".list", ".sources") and file.is_file():
            for uri in re.findall(r"^(?:deb\s+(?:\[[^\]]*\]\s*)?|URIs:\s*)(\S+)", file.read_text(), re.M):
                if re.search(r"/debian/?$", uri):
                    return str(uri)
    return None
