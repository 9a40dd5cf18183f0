"""What the account endpoints take and give."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from feeds.core.protocol import LARGEST_NUMBER
from terminal.accounts import selectors
from terminal.accounts.models import ApiToken

PASSWORD_LENGTH = 256
"""Longer ones would only make the hash slow."""
CODE_LENGTH = 16


class LoginSerializer(serializers.Serializer[Any]):
    """User name, password and, when a second factor is enrolled, its code."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=PASSWORD_LENGTH, trim_whitespace=False, write_only=True)
    code = serializers.CharField(max_length=CODE_LENGTH, required=False, default="", allow_blank=True)


class UserSerializer(serializers.ModelSerializer[User]):
    """Who is signed in."""

    roles = serializers.SerializerMethodField()
    second_factor = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "username", "first_name", "last_name", "roles", "second_factor"]
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_roles(self, user: User) -> list[str]:
        return selectors.roles_of(user)

    def get_second_factor(self, user: User) -> bool:
        return selectors.has_second_factor(user)


class ApiTokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token as lists show it; never its text."""

    class Meta:
        model = ApiToken
        fields = ["id", "name", "prefix", "created_at", "last_used_at", "expires_at"]
        read_only_fields = ["id", "prefix", "created_at", "last_used_at"]


class NewApiTokenSerializer(ApiTokenSerializer):
    """A token just made, with its text: the only time it is shown."""

    token = serializers.CharField(read_only=True)

    class Meta(ApiTokenSerializer.Meta):
        fields = [*ApiTokenSerializer.Meta.fields, "token"]


class PasswordSerializer(serializers.Serializer[Any]):
    """A password change."""

    current = serializers.CharField(max_length=PASSWORD_LENGTH, trim_whitespace=False, write_only=True)
    new = serializers.CharField(max_length=PASSWORD_LENGTH, trim_whitespace=False, write_only=True)
    revoke_tokens = serializers.BooleanField(default=False)


class SecondFactorSecretSerializer(serializers.Serializer[Any]):
    """The secret to put into an authenticator, as base32 and as an address for a QR code."""

    secret = serializers.CharField()
    otpauth_url = serializers.CharField()


class CodeSerializer(serializers.Serializer[Any]):
    """A code of the authenticator."""

    code = serializers.CharField(max_length=CODE_LENGTH, write_only=True)


class DisableSecondFactorSerializer(CodeSerializer):
    """A code and the password: one of them alone does not remove the second factor."""

    password = serializers.CharField(max_length=PASSWORD_LENGTH, trim_whitespace=False, write_only=True)


class LayoutSerializer(serializers.Serializer[Any]):
    """How the terminal looks. `version` is the one that was read; saving makes the next of it."""

    version = serializers.IntegerField(min_value=0, max_value=LARGEST_NUMBER)
    layout = serializers.DictField(help_text="The page's own JSON, at most 256 kB.")
