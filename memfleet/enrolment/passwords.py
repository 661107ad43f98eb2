"""Password files of mosquitto: one line a user, `name:$7$rounds$salt$hash`, PBKDF2 over SHA-512. Pure.

The form is that of mosquitto_passwd(1) since version 2.0; salt and hash are base64.
"""

from __future__ import annotations

import base64
import hashlib

_ROUNDS = 101  # as mosquitto_passwd; the passwords are 256 random bits, which no number of rounds could improve
SALT_BYTES = 12


def password_line(user: str, password: str, salt: bytes) -> str:
    """The line of a password file. The password cannot be got back from it."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return f"{user}:$7${_ROUNDS}${_text(salt)}${_text(digest)}"


def has_user(text: str, user: str) -> bool:
    """Whether a password file has a line for that user."""
    return any(line.startswith(f"{user}:") for line in text.splitlines())


def with_line(text: str, line: str) -> str:
    """The password file with one more line."""
    return "\n".join([*text.splitlines(), line]) + "\n"


def without_user(text: str, user: str) -> str:
    """The password file without that user."""
    return "".join(f"{line}\n" for line in text.splitlines() if not line.startswith(f"{user}:"))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
