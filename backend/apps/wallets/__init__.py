"""Passes for Apple Wallet and Google Wallet, and the credentials that sign them."""
