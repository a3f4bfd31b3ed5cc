"""ModelFamily, ModelSize and what is known of them."""

from __future__ import annotations

from typing import Self

from django.db import models


class ModelFamily(models.Model):
    """A line of models of one lab."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=100)
    lab = models.CharField(max_length=100)
    summary = models.TextField()
    licence = models.CharField(max_length=100, blank=True)
    note = models.TextField(blank=True)
    ordinal = models.PositiveSmallIntegerField(default=0)

    class Meta:
        db_table = "model_family"
        ordering = ["ordinal", "name"]

    def __str__(self) -> str:
        return self.name


class ModelSizeQuerySet(models.QuerySet["ModelSize"]):
    """Words for sizes."""

    def with_weights(self) -> Self:
        """Sizes whose weights lie in the store."""
        return self.filter(revisions__is_current=True)


class ModelSize(models.Model):
    """One member of a family; the unit that is released."""

    family = models.ForeignKey(ModelFamily, on_delete=models.PROTECT, related_name="sizes")
    slug = models.CharField(max_length=96, unique=True)  # lab/size-slug
    name = models.CharField(max_length=100)
    ordinal = models.PositiveSmallIntegerField()  # place in the family, smallest first
    parameters = models.PositiveBigIntegerField()
    parameters_verified = models.BooleanField(default=True)
    layers = models.PositiveIntegerField(null=True, blank=True)
    d_model = models.PositiveIntegerField(null=True, blank=True)
    heads = models.PositiveIntegerField(null=True, blank=True)
    context = models.PositiveIntegerField(null=True, blank=True)
    vocabulary = models.PositiveIntegerField(null=True, blank=True)
    note = models.TextField(blank=True)

    objects = ModelSizeQuerySet.as_manager()

    class Meta:
        db_table = "model_size"
        ordering = ["family__ordinal", "ordinal"]
        constraints = [models.UniqueConstraint(fields=["family", "ordinal"], name="one_size_per_place")]

    def __str__(self) -> str:
        return self.slug

    @property
    def lab_slug(self) -> str:
        """First half of the slug."""
        return self.slug.partition("/")[0]

    @property
    def size_slug(self) -> str:
        """Second half of the slug."""
        return self.slug.partition("/")[2]

    @property
    def current_revision(self) -> Revision | None:
        """The revision that is served, if the store has one."""
        return next((revision for revision in self.revisions.all() if revision.is_current), None)


class SizeAlias(models.Model):
    """Another name in use for a size."""

    size = models.ForeignKey(ModelSize, on_delete=models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=60)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "size_alias"
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["size", "name"], name="alias_once_per_size")]

    def __str__(self) -> str:
        return self.name


class Revision(models.Model):
    """Immutable set of a size's files, named by its weights digest."""

    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="revisions")
    commit = models.CharField(max_length=40)  # first 40 hex digits of the digest: what Hub clients call a commit
    digest = models.CharField(max_length=64)
    total_bytes = models.PositiveBigIntegerField()
    source = models.CharField(max_length=300)
    is_current = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "revision"
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["size", "digest"], name="revision_once_per_size"),
            models.UniqueConstraint(
                fields=["size"], condition=models.Q(is_current=True), name="one_current_revision_per_size"
            ),
        ]

    def __str__(self) -> str:
        return self.commit


class WeightFile(models.Model):
    """A file of a revision, as the manifest names it."""

    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()

    class Meta:
        db_table = "weight_file"
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["revision", "path"], name="path_once_per_revision")]

    def __str__(self) -> str:
        return self.path


class Artefact(models.Model):
    """What came out for a size: paper, card, samples, code, detector, weights, data, logbook."""

    size = models.ForeignKey(ModelSize, on_delete=models.CASCADE, related_name="artefacts")
    kind = models.CharField(max_length=20)
    opened_on = models.DateField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True)
    is_verified = models.BooleanField(default=True)

    class Meta:
        db_table = "artefact"
        ordering = ["opened_on", "kind"]
        constraints = [models.UniqueConstraint(fields=["size", "kind"], name="artefact_once_per_size")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.size_id}"


class HistoricEvent(models.Model):
    """A dated fact from the public record, before or outside this portal."""

    family = models.ForeignKey(ModelFamily, on_delete=models.CASCADE, related_name="historic_events")
    sizes = models.ManyToManyField(ModelSize, related_name="historic_events", blank=True)
    happened_on = models.DateField()
    text = models.TextField()
    source = models.CharField(max_length=300, blank=True)
    is_verified = models.BooleanField(default=True)

    class Meta:
        db_table = "historic_event"
        ordering = ["happened_on", "id"]

    def __str__(self) -> str:
        return f"{self.happened_on}: {self.text[:60]}"
