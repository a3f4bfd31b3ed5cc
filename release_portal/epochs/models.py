"""Epoch: how often what a permit rests on was taken back."""

from django.db import models


class Epoch(models.Model):
    """The number under which permits for one size, grant or seat are valid now; it only ever grows."""

    key = models.CharField(max_length=200, primary_key=True)  # "size:<slug>", "grant:<id>" or "seat:<id>"
    number = models.PositiveBigIntegerField(default=1)

    class Meta:
        db_table = "epoch"

    def __str__(self) -> str:
        return f"{self.key} = {self.number}"
