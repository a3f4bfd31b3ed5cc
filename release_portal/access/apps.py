from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "release_portal.access"

    def ready(self) -> None:
        from release_portal.access import appealing, own_data
        from release_portal.access.attachments.lookups import attached_keys
        from release_portal.access.obligations.services import count_overdue
        from release_portal.access.programmes import slots
        from release_portal.access.programmes.duties import register

        own_data.declare()
        appealing.declare()
        slots.register(attached_keys)
        register("obligations", count_overdue)
