"""Admin classes whose every change leaves an audit entry, and admin classes that change nothing."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from feeds import audit


class ReasonForm(forms.ModelForm):
    """A model form that also asks why; the answer goes to the audit trail."""

    reason = forms.CharField(
        required=False,
        max_length=audit.REASON_LENGTH,
        help_text="Why you change this. Kept in the audit trail with your name and address.",
        widget=UnfoldAdminTextInputWidget(),
    )


class AuditedAdmin(ModelAdmin):
    """Add, change and delete are recorded in their own transaction: no entry, no change.

    `secret_fields` are form fields whose values stay out of the trail; that they changed does not.
    """

    secret_fields: tuple[str, ...] = ()

    def save_model(self, request: HttpRequest, obj: Model, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        obj._audit_reason = form.cleaned_data.get("reason", "")
        obj._audit_values = self.changed_values(form)

    def changed_values(self, form: forms.ModelForm) -> dict[str, dict[str, str]]:
        """Field -> before and after, as text."""
        values = {}
        for name in form.changed_data:
            if name == "reason":
                continue
            if name in self.secret_fields:
                values[name] = {"before": "(secret)", "after": "(secret)"}
            else:
                values[name] = {"before": str(form.initial.get(name, "")), "after": str(form.cleaned_data.get(name))}
        return values

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self.record(request, "add", obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self.record(request, "change", obj, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Model]) -> Any:
        for obj in queryset:
            self.record(request, "delete", obj, "")
        return super().log_deletions(request, queryset)

    def record(self, request: HttpRequest, verb: str, obj: Model, message: Any) -> None:
        audit.record(
            request.user,
            f"{self.opts.model_name}.{verb}",
            f"{obj._meta.verbose_name} {obj.pk}: {obj}",
            reason=getattr(obj, "_audit_reason", ""),
            details={"values": getattr(obj, "_audit_values", {}), "message": message},
            address=audit.client_address(request.META),
        )


class ReadOnlyAdmin(ModelAdmin):
    """Rows to look at: the processes write them, nobody edits them by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class RemovableAdmin(ReadOnlyAdmin, AuditedAdmin):
    """Rows to look at, and to delete by who has the permission; each deletion is recorded."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return ModelAdmin.has_delete_permission(self, request, obj)


def may_operate(user: AbstractBaseUser) -> bool:
    """Whether the user may act on the feed and the tiers."""
    return user.has_perm("feeds.operate_feed")
