"""What can be wrong with a token. Clients get these sentences: they name no key and quote nothing from the token."""


class TokenRefused(Exception):
    """The token is not valid, or cannot be shown to be. `str()` is one sentence in ASCII."""


class IssuerNotListed(Exception):
    def __init__(self) -> None:
        super().__init__("The token's issuer is not on the allow list.")


class ApplicationNotListed(Exception):
    def __init__(self) -> None:
        super().__init__("The calling application is not on the allow list.")


class IssuerUnavailable(Exception):
    """The issuer could not be asked for its keys, so it is not known whether the token is valid."""

    def __init__(self) -> None:
        super().__init__("The token's issuer cannot be reached to verify the token; try again.")


class IssuerMisbehaves(TokenRefused):
    """The issuer's metadata or keys are invalid. `because` is for the log."""

    def __init__(self, because: str) -> None:
        super().__init__("The keys of the token's issuer cannot be used.")
        self.because = because
