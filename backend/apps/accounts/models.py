"""Users, organisers' teams, and the members of the teams."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from apps.core.addresses import strip_address
from apps.core.validators import CheckedText

from .public_url import is_local


class UserManager(BaseUserManager["User"]):
    """Create and find users by their e-mail address."""

    use_in_migrations = True

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        return super().normalize_email(strip_address(email or ""))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a user. Raises ValueError if the e-mail address is empty."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """Return the user with this address, ignoring case. Raises User.DoesNotExist if there is none.

        The comparison is repeated in Python: for some collations of PostgreSQL ``ı`` equals ``i``, but it makes a
        different address, which has a rate limit of its own.
        """
        address = username or ""
        for user in self.filter(email__iexact=address):
            if user.email.lower() == address.lower():
                return user
        raise self.model.DoesNotExist(f"No user has the address {address}.")


class User(CheckedText, AbstractUser):
    """A person with a sign-in: a holder, an organiser, door staff, or several of these."""

    username = None  # type: ignore[assignment]  # users sign in by e-mail; Django documents this way to drop the field
    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_demo = models.BooleanField(
        "demo account",
        default=False,
        db_default=False,
        help_text="Has the demo’s public password: can sign in only while the site is on localhost.",
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique_ignoring_case")]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or super().get_full_name() or self.email

    @property
    def is_blocked(self) -> bool:
        """Return whether this is a demo account on a site that others can reach. Its password is public."""
        return self.is_demo and not settings.DEBUG and not is_local()

    def get_session_auth_hash(self) -> str:
        """Return the hash that a session of this user must contain. A random one invalidates all sessions if blocked.

        Session cookies and apps' session tokens are both checked against it on every request.
        """
        return secrets.token_hex() if self.is_blocked else super().get_session_auth_hash()

    def get_session_auth_fallback_hash(self) -> Iterable[str]:
        return () if self.is_blocked else super().get_session_auth_fallback_hash()


class Organiser(CheckedText):
    """A team that publishes events. The role of a membership says what the member may do."""

    name = models.CharField(max_length=200)
    members = models.ManyToManyField(User, through="Membership", related_name="organisers")

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """The role of a user in an organiser's team."""

    class Role(models.TextChoices):
        MANAGER = "manager", "Organiser: issues, re-issues and checks tickets"
        DOOR = "door", "Door staff: checks tickets"

    organiser = models.ForeignKey(Organiser, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organiser", "user"], name="one_membership_a_person_and_team")]

    def __str__(self) -> str:
        return f"{self.user} in {self.organiser} ({self.role})"


class MailedCode(models.Model):
    """The number of attempts at a code that was mailed to confirm an address. The code itself is in the session."""

    digest = models.CharField(max_length=64, unique=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.attempts} attempts"
