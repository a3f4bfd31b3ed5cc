"""Running the portal: commands, health, and the processes behind `manage.py up`."""
