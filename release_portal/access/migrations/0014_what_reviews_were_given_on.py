"""Reviews given before count on what stands there now: until now nothing could change after the sending."""

import hashlib
import json

from django.db import migrations


def fill(apps, schema_editor):
    votes = apps.get_model("access", "ReviewVote")
    for vote in votes.objects.filter(content="").select_related("application").iterator():
        vote.content = digest(vote.application)
        vote.save(update_fields=["content"])
    applications = apps.get_model("access", "Application")
    for event in apps.get_model("audit", "AuditEvent").objects.filter(kind="application.submitted").iterator():
        tier = str(event.data.get("tier", "1"))
        if tier.isdecimal():
            applications.objects.filter(pk=event.subject.partition(":")[2]).update(tier=int(tier))


def digest(application):
    functions = ", ".join(sorted(application.functions))
    fields = {
        "purpose_code": application.purpose_code,
        "purpose": application.purpose,
        "affiliation": application.affiliation,
        "intended_use": application.intended_use,
        "functions": functions,
        "requested_end": str(application.requested_end or ""),
        "summary": application.summary,
        "summary_withheld": application.summary_withheld,
        **{f"answer_{key}": value for key, value in application.form_answers.items()},
    }
    fields = {key: value for key, value in fields.items() if value}
    replies = [["", one.answer] for one in application.questions.order_by("asked_at", "pk") if one.answered_at]
    said = json.dumps({"fields": fields, "replies": replies}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0013_reviewing_at_fields"),
        ("audit", "0001_initial"),
    ]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
