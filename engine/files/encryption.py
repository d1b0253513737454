"""Personal data at rest: text sealed with AES-256-GCM, opened only by who holds the key.

A sealed string is `s1:` and base64 of nonce and ciphertext. The nonce is a keyed hash of the text (a synthetic nonce,
NIST SP 800-38D 8.2.1 requires only that no two texts share one), so that the same text seals to the same string and
importing a file twice changes nothing; what it shows is which values are equal.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass

import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.errors import InputError
from engine.settings import Settings

PREFIX = "s1:"
NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Seal:
    """Seals and opens text under one key; build it with `seal_of`."""

    _cipher: AESGCM
    _nonce_key: bytes
    _where: str

    def seal(self, text: str) -> str:
        """Return `text` sealed."""
        data = text.encode()
        nonce = hmac.digest(self._nonce_key, data, "sha256")[:NONCE_BYTES]
        return PREFIX + base64.b64encode(nonce + self._cipher.encrypt(nonce, data, PREFIX.encode())).decode()

    def unseal(self, sealed: str) -> str:
        """Return the text.

        Raises InputError when it was sealed with another key, or is not sealed text at all.
        """
        broken = "this is not sealed text; import the customers again"
        if not sealed.startswith(PREFIX):
            raise InputError(broken, where=self._where)
        try:
            data = base64.b64decode(sealed.removeprefix(PREFIX), validate=True)
            nonce, body = data[:NONCE_BYTES], data[NONCE_BYTES:]
            return self._cipher.decrypt(nonce, body, PREFIX.encode()).decode()
        except InvalidTag as error:
            raise InputError("personal data was sealed with another key; give that key", where=self._where) from error
        except (ValueError, binascii.Error) as error:
            raise InputError(broken, where=self._where) from error

    def is_own(self, text: str) -> bool:
        """Say whether `text` was sealed under this key: nobody without the key can make one that was."""
        try:
            self.unseal(text)
        except InputError:
            return False
        return True

    def opened_where_own(self, column: pl.Series) -> pl.Series:
        """Return the column with what was sealed under this key opened, and all other text as it is."""
        if column.dtype != pl.String or not column.str.starts_with(PREFIX).any():
            return column
        texts = [self.unseal(text) if text is not None and self.is_own(text) else text for text in column]
        return pl.Series(column.name, texts, dtype=pl.String)

    def seal_column(self, column: pl.Series) -> pl.Series:
        """Return the column sealed; null stays null, and what was sealed under this key before stays as it is."""
        sealed = [text if text is None or self.is_own(text) else self.seal(text) for text in column]
        return pl.Series(column.name, sealed, dtype=pl.String)

    def unseal_column(self, column: pl.Series) -> pl.Series:
        """Return the column's text; null stays null. Raises InputError as `unseal` does."""
        opened = [None if text is None else self.unseal(text) for text in column]
        return pl.Series(column.name, opened, dtype=pl.String)


def seal_of(settings: Settings) -> Seal:
    """Return the seal of this home: the settings' key, or `secret.key` in the home folder, made at first use.

    Raises InputError when the key is not base64 of 32 bytes.
    """
    if settings.secret_key is not None:
        where, text = "REGULARS_SECRET_KEY", settings.secret_key
    else:
        where, text = str(settings.home / "secret.key"), _home_key(settings)
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != 32:
        raise InputError("the key must be base64 of 32 bytes (openssl rand -base64 32)", where=where)
    return Seal(AESGCM(key), hashlib.blake2b(key, person=b"regulars nonce", digest_size=32).digest(), where)


def _home_key(settings: Settings) -> str:
    path = settings.home / "secret.key"
    if not path.exists():
        settings.home.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".secret.key.{secrets.token_hex(4)}.tmp")
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.write(handle, base64.b64encode(os.urandom(32)) + b"\n")
            os.fsync(handle)
            # A link, not a rename: of two processes that start at once one wins and both read its key.
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            os.close(handle)
            temporary.unlink(missing_ok=True)
    return path.read_text(encoding="utf-8", errors="replace")
