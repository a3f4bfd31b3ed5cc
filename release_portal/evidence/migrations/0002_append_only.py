from django.db import migrations

from release_portal.evidence.append_only import install, remove

TABLES = ("evidence", "evidence_review", "checklist_version")


def forwards(apps, schema_editor):
    install(schema_editor, TABLES)


def backwards(apps, schema_editor):
    remove(schema_editor, TABLES)


class Migration(migrations.Migration):

    dependencies = [("evidence", "0001_initial")]

    operations = [migrations.RunPython(forwards, backwards)]
