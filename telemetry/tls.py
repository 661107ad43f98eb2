"""TLS at a broker: whom we trust, who we are, and in words what is wrong with either."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

from telemetry.errors import EnvironmentFault
from telemetry.settings import Broker

_NOT_NOW = (9, 10)
_NOT_ITS_NAME = (62, 64)
"""OpenSSL's codes of a certificate that is not valid yet or no longer, and of one for another host."""


def client_context(broker: Broker) -> ssl.SSLContext:
    """What the settings say. EnvironmentFault names the file that is missing or holds something else."""
    for setting in ("ca_file", "cert_file", "key_file"):
        _must_be_readable(setting, getattr(broker, setting))
    try:
        context = ssl.create_default_context(cafile=broker.ca_file or None)
    except ssl.SSLError:
        raise EnvironmentFault(f"broker.ca_file {broker.ca_file}: holds no PEM certificate", retry=False) from None
    if broker.cert_file:
        _load_own(context, broker.cert_file, broker.key_file or broker.cert_file)
    return context


def _load_own(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        context.load_cert_chain(certificate, key, password="")  # nobody is here to be asked for one
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            fault = f"broker.key_file {key}: is not the key of the certificate in {certificate}"
        else:
            fault = f"broker.cert_file {certificate}: is no PEM certificate, or {key} holds no key without a passphrase"
        raise EnvironmentFault(fault, retry=False) from None


def _must_be_readable(setting: str, path: str) -> None:
    """EnvironmentFault that names the file: of several, TLS does not say which it could not read."""
    try:
        if path:
            Path(path).read_bytes()
    except OSError as error:
        raise EnvironmentFault(f"broker.{setting} {path}: {error.strerror}", retry=False) from None


def distrust(error: ssl.SSLCertVerificationError, ca_file: str) -> str:
    """Why the broker's certificate is refused: OpenSSL's own words, and where to look."""
    said = error.verify_message.rstrip(".")
    if error.verify_code in _NOT_NOW:
        return f"{said}; renew it there, or set the clock here: it says {datetime.now(UTC):%Y-%m-%d}"
    if error.verify_code in _NOT_ITS_NAME:
        return said
    return f"{said}; {f'is {ca_file} the authority that signed it?' if ca_file else 'name who signed it as ca_file'}"
