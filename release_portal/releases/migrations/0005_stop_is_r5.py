from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("releases", "0004_keep_what_stands")]

    operations = [
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('level', 'R5'), ('stops_use', True)), models.Q(models.Q(('level', 'R5'), _negated=True), ('stops_use', False)), _connector='OR'), name='hold_r5_stops_use'),
        ),
    ]
