"""People in the admin: users, roles, API tokens, and the lockouts of failed logins."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from feeds import audit
from feeds.audited_admin import AuditedAdmin, ReadOnlyAdmin
from feeds.clock import wall_now
from terminal.accounts.models import ApiToken
from terminal.accounts.selectors import has_second_factor
from terminal.accounts.services import close_sockets

SIGNED_IN_BY = frozenset({"is_active", "is_staff", "is_superuser", "groups", "user_permissions"})
"""A change of these ends the user's open sockets, so that none outlives the right it was opened with."""

for replaced in (User, Group, TOTPDevice, StaticDevice, AccessAttempt, AccessFailureLog, AccessLog):
    # Ours below take their place; devices get none, because theirs would show other people's secrets.
    if admin.site.is_registered(replaced):
        admin.site.unregister(replaced)


@admin.register(User)
class PersonAdmin(UserAdmin, AuditedAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    secret_fields = ("password", "password1", "password2")
    list_display = ("username", "email", "roles", "is_active", "second_factor", "last_login")
    list_filter = ("groups", "is_active", "is_staff")
    actions = ("remove_second_factor",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Users are switched off, not deleted: the audit trail names them."""
        return False

    @display(description="Roles")
    def roles(self, row: User) -> str:
        return ", ".join(sorted(group.name for group in row.groups.all())) or "-"

    @display(description="Second factor", label={"enrolled": "success", "none": "warning"})
    def second_factor(self, row: User) -> str:
        return "enrolled" if has_second_factor(row) else "none"

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and SIGNED_IN_BY.intersection(form.changed_data):
            transaction.on_commit(lambda: close_sockets(obj))

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        if request.path.endswith("/password/"):
            transaction.on_commit(lambda: close_sockets(obj))
        return super().log_change(request, obj, message)

    @admin.action(description="Remove the second factor (the user enrols again)", permissions=["change"])
    def remove_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            remove_devices(request, user)
        messages.success(request, "Removed. They enrol a new device at their next login.")


@transaction.atomic
def remove_devices(request: HttpRequest, user: User) -> None:
    """For a lost telephone: whoever asks is named in the trail."""
    TOTPDevice.objects.filter(user=user).delete()
    StaticDevice.objects.filter(user=user).delete()
    record(request, "second_factor.remove", f"user {user}")


@admin.register(Group)
class RoleAdmin(GroupAdmin, AuditedAdmin):
    list_display = ("name", "members")

    @display(description="Users")
    def members(self, row: Group) -> int:
        return row.user_set.count()


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("name", "user", "prefix", "created_at", "last_used_at", "expires_at", "state")
    list_filter = ("user",)
    search_fields = ("name", "prefix", "user__username")
    list_select_related = ("user",)
    fields = ("user", "name", "prefix", "created_at", "last_used_at", "expires_at", "revoked_at")
    actions = ("revoke",)

    @display(description="State", label={"live": "success", "expired": "warning", "revoked": "danger"})
    def state(self, row: ApiToken) -> str:
        if row.revoked_at:
            return "revoked"
        return "expired" if row.expires_at and row.expires_at <= wall_now() else "live"

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apitoken")

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        revoked = sum(revoke_one(request, token) for token in queryset.select_related("user"))
        messages.success(request, f"{revoked} revoked. Sockets opened with them are closed.")


@transaction.atomic
def revoke_one(request: HttpRequest, token: ApiToken) -> bool:
    """End someone's token; False when it was revoked already."""
    if not ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=wall_now()):
        return False
    record(request, "token.revoke", f"{token} of {token.user}")
    transaction.on_commit(lambda: close_sockets(token.user))
    return True


@admin.register(AccessAttempt)
class LockoutAdmin(ReadOnlyAdmin):
    """Failed logins that count towards a lockout; to delete one is to let its user try again at once."""

    list_display = ("attempt_time", "username", "ip_address", "failures_since_start")
    search_fields = ("username", "ip_address")
    fields = ("attempt_time", "username", "ip_address", "user_agent", "path_info", "failures_since_start")
    actions = ("unlock",)

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("axes.delete_accessattempt")

    @admin.action(description="Unlock", permissions=["unlock"])
    @transaction.atomic
    def unlock(self, request: HttpRequest, queryset: QuerySet[AccessAttempt]) -> None:
        for attempt in queryset:
            record(request, "login.unlock", f"{attempt.username} from {attempt.ip_address}")
        queryset.delete()
        messages.success(request, "They may try again now.")


def record(request: HttpRequest, action: str, target: str) -> None:
    audit.record(request.user, action, target, address=audit.client_address(request.META))
