"""What can be wrong with a token. The sentences go to the client: they name no key and quote nothing of the token."""


class TokenRefused(Exception):
    """The token is not valid, or cannot be told from one that is not. `str()` is one sentence in ASCII."""


class IssuerNotListed(Exception):
    def __init__(self) -> None:
        super().__init__("The token's issuer is not on the allow list.")


class ApplicationNotListed(Exception):
    def __init__(self) -> None:
        super().__init__("The calling application is not on the allow list.")


class IssuerUnavailable(Exception):
    """The issuer could not be asked for its keys; whether the token is valid cannot be said now."""

    def __init__(self) -> None:
        super().__init__("The token's issuer cannot be reached to verify the token; try again.")


class IssuerMisbehaves(TokenRefused):
    """The issuer's metadata or keys are not what they must be. `because` is for the log."""

    def __init__(self, because: str) -> None:
        super().__init__("The keys of the token's issuer cannot be used.")
        self.because = because
