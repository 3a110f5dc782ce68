"""Passes for Apple Wallet and Google Wallet, and the credentials for signing them."""
