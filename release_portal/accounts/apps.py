from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "release_portal.accounts"

    def ready(self) -> None:
        from release_portal.accounts.holdings import declare_accounts, declare_duty, declare_own_data

        declare_accounts()
        declare_duty()
        declare_own_data()
