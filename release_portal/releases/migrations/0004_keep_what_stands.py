"""What stands was granted, and what stops use is restriction R5; in a migration of its own, because PostgreSQL does not
alter a table in the transaction that changed its rows."""

from django.db import migrations

from release_portal.core.clock import now

LADDER = "registered disclosed partner research_hosted public_hosted research_weights open_weights open_science".split()


def keep_what_stands(apps, schema_editor):
    """What stands was granted; its review counts from today, and the arrival is when it has stood there since."""
    Standing, StageEntry = apps.get_model("releases", "Standing"), apps.get_model("releases", "StageEntry")
    for standing in Standing.objects.all():
        standing.granted, standing.reviewed_at = standing.stage, now()
        standing.save(update_fields=["granted", "reviewed_at"])
        StageEntry.objects.create(
            size_id=standing.size_id,
            stage=standing.stage,
            ordinal=LADDER.index(standing.stage),
            entered_at=standing.since,
        )


def level_the_stops(apps, schema_editor):
    """A stop of use is restriction R5."""
    apps.get_model("releases", "Hold").objects.filter(stops_use=True).update(level="R5")


class Migration(migrations.Migration):
    dependencies = [("releases", "0003_governance")]

    operations = [
        migrations.RunPython(keep_what_stands, migrations.RunPython.noop),
        migrations.RunPython(level_the_stops, migrations.RunPython.noop),
    ]
