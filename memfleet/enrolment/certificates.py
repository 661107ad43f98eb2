"""Certificates by the openssl program: a small authority of the fleet's own, in one folder.

ca.crt  what both ends trust            ca.key  the authority's key: keep the folder off the broker's machine
ca.crl  who was revoked                 ca.cnf, index, issued/  openssl's own books
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from memfleet.enrolment.files import require_new, write_secret
from telemetry.errors import EnvironmentFault, UsageError

AUTHORITY_DAYS = 3650
_CRL_DAYS = 3650  # a list that ran out would shut everybody out: it is made anew whenever somebody is revoked

_BOOKS = """\
[ca]
default_ca = fleet
[fleet]
dir = {folder}
database = $dir/index
new_certs_dir = $dir/issued
certificate = $dir/ca.crt
private_key = $dir/ca.key
default_md = sha256
default_crl_days = {crl_days}
rand_serial = yes
unique_subject = no
policy = names
[names]
commonName = supplied
[agent]
basicConstraints = critical,CA:false
extendedKeyUsage = clientAuth
[collector]
basicConstraints = critical,CA:false
extendedKeyUsage = clientAuth
[broker]
basicConstraints = critical,CA:false
extendedKeyUsage = serverAuth
subjectAltName = ${{ENV::MEMFLEET_NAMES}}
"""


@dataclass(frozen=True, slots=True)
class Authority:
    """The authority in a folder; made when it is not there."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """What both ends trust."""
        return self.folder / "ca.crt"

    @property
    def revoked(self) -> Path:
        """The list of revoked certificates, for the broker's `crlfile`."""
        return self.folder / "ca.crl"

    def ensure(self, fleet: str) -> None:
        """Make key, certificate and books, unless they are there."""
        if self.certificate.exists():
            return
        (self.folder / "issued").mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        (self.folder / "index").touch()
        (self.folder / "ca.cnf").write_text(_BOOKS.format(folder=self.folder.absolute(), crl_days=_CRL_DAYS))
        key = self.folder / "ca.key"
        self._make_key(key)
        extensions = ("basicConstraints=critical,CA:true", "keyUsage=critical,keyCertSign,cRLSign")
        _openssl(
            "req", "-x509", "-new", "-key", key, "-days", AUTHORITY_DAYS, "-subj", f"/CN=memfleet {fleet}",
            *(word for extension in extensions for word in ("-addext", extension)), "-out", self.certificate,
        )  # fmt: skip
        self._list_revoked()

    def issue(self, name: str, role: str, folder: Path, days: int) -> tuple[Path, Path]:
        """A new certificate with its key, `name`.crt and `name`.key; UsageError when they exist.

        The roles agent and collector log in with it; `broker` proves itself with it, under that name or address.
        """
        certificate, key, request = (folder / f"{name}{suffix}" for suffix in (".crt", ".key", ".csr"))
        require_new(certificate, key)
        self._make_key(key)
        _openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
        kind = "IP" if name.replace(".", "").isdigit() else "DNS"
        try:
            _openssl(
                "ca", "-batch", "-notext", "-config", self.folder / "ca.cnf", "-extensions", role, "-days", days,
                "-in", request, "-out", certificate, names=f"{kind}:{name}",
            )  # fmt: skip
        except EnvironmentFault:
            key.unlink()
            raise
        finally:
            request.unlink(missing_ok=True)
        return certificate, key

    def revoke(self, name: str) -> int:
        """Put every certificate of that name on the list; how many were valid until now."""
        serials = self._valid(name)
        for serial in serials:
            _openssl("ca", "-config", self.folder / "ca.cnf", "-revoke", self.folder / "issued" / f"{serial}.pem")
        if serials:
            self._list_revoked()
        return len(serials)

    def _valid(self, name: str) -> list[str]:
        """Serial numbers; a line of the books is state, expiry, revocation, serial, file, subject, by tabs."""
        try:
            lines = [line.split("\t") for line in (self.folder / "index").read_text().splitlines()]
        except FileNotFoundError:
            raise UsageError(f"{self.folder} holds no authority of memfleet enroll") from None
        return [line[3] for line in lines if line[0] == "V" and line[5] == f"/CN={name}"]

    def _list_revoked(self) -> None:
        _openssl("ca", "-config", self.folder / "ca.cnf", "-gencrl", "-out", self.revoked)

    @staticmethod
    def _make_key(path: Path) -> None:
        made = _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        write_secret(path, made)


def _openssl(*words: object, names: str = "DNS:none") -> str:
    """What openssl wrote to standard output; EnvironmentFault with its own words when it fails."""
    program = shutil.which("openssl")
    if program is None:
        raise EnvironmentFault("openssl is not installed, and certificates are made by it", retry=False)
    done = subprocess.run(
        [program, *map(str, words)], capture_output=True, text=True, env={"MEMFLEET_NAMES": names}, check=False
    )
    if done.returncode:
        raise EnvironmentFault(f"openssl {words[0]}: {done.stderr.strip()[-500:]}", retry=False)
    return done.stdout
