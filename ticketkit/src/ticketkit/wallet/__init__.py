"""Create passes for Apple Wallet and Google Wallet from the same details as the PDF.

passes = ApplePassTemplate(event, AppleCredentials.load(certificate, key, intermediate))
pkpass = passes.render(ticket)  # bytes, served as application/vnd.apple.pkpass

passes = GooglePassTemplate(event, GoogleCredentials.load(service_account, issuer_id), event_key="event-42")
link = passes.link(ticket)  # https://pay.google.com/gp/v/save/...
"""

from ticketkit.wallet.apple import ApplePassTemplate
from ticketkit.wallet.credentials import AppleCredentials, GoogleCredentials, WalletCredentialsError
from ticketkit.wallet.google import GooglePassTemplate

__all__ = [
    "AppleCredentials",
    "ApplePassTemplate",
    "GoogleCredentials",
    "GooglePassTemplate",
    "WalletCredentialsError",
]
