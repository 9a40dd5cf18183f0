"""The credentials a feed process dials with: read from the database each time, remembered for when it is away."""

from __future__ import annotations

import logging
from functools import partial

from django.db import Error as DatabaseError

from feeds.credentials import CredentialError, open_sealed
from feeds.dhan.governor import Credentials, CredentialsUnavailable
from feeds.models import DhanAccount
from feeds.offload import Offload, Overloaded

log = logging.getLogger(__name__)


class AccountCredentials:
    """Reads an account's token at every connect, so that a new one is used without a restart."""

    def __init__(self, account_id: int, database: Offload) -> None:
        self._account_id = account_id
        self._database = database
        self._known: Credentials | None = None

    async def current(self) -> Credentials:
        """The newest credentials; the last known ones while the database is away.

        Raises:
            CredentialsUnavailable: there is no token, it does not open, or the database never said one.
        """
        try:
            self._known = await self._database.run(partial(read_credentials, self._account_id))
        except (DatabaseError, Overloaded) as error:
            if self._known is None:
                raise CredentialsUnavailable(f"database is away ({type(error).__name__})") from None
            log.warning("database is away: dialling with the credentials known so far")
        return self._known


def read_credentials(account_id: int) -> Credentials:
    """Raises CredentialsUnavailable: no enabled account, no token, or one that does not open."""
    account = DhanAccount.objects.filter(pk=account_id, enabled=True).first()
    try:
        token = open_sealed(account, "access_token") if account else None
    except CredentialError as error:
        raise CredentialsUnavailable(str(error)) from None
    if account is None or not token:
        raise CredentialsUnavailable(f"account {account_id} has no access token")
    return Credentials(account.client_id, token, account.credential_version)
