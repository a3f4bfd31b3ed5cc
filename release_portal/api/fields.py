"""Fields that take exactly what the schema says: no numbers as text, no text as numbers, no unknown names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from release_portal.core.errors import InvalidInput
from release_portal.evidence.digests import number_text
from release_portal.evidence.rules import LONGEST_NUMBER, number_of

LARGEST = 2**63 - 1
# Years of which every moment, in any zone, can be stored and compared.
FIRST_YEAR, LAST_YEAR = 1970, 9998
SLUG = r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$"


class Input(serializers.Serializer[Any]):
    """Something that is sent; a name that it does not have is an error, not ignored."""

    def to_internal_value(self, data: Any) -> Any:
        """Read the known fields; refuse the unknown by name."""
        if isinstance(data, Mapping):
            unknown = [str(name)[:100] for name in data if name not in self.fields]
            if unknown:
                sentence = "This is no field here. Known: " + ", ".join(self.fields) + "."
                raise ValidationError({name: [sentence] for name in unknown[:10]})
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """Text; blanks at its ends are kept, since they may be meant."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> str:
        """Refuse what is not text."""
        if not isinstance(data, str):
            raise ValidationError("This must be text.")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A whole number in JSON."""

    def to_internal_value(self, data: Any) -> int:
        """Refuse text, truth values and fractions."""
        if isinstance(data, bool) or not isinstance(data, int):
            raise ValidationError("This must be a whole number.")
        return data


class Number(serializers.FloatField):
    """A finite number in JSON."""

    def to_internal_value(self, data: Any) -> float:
        """Refuse text, truth values and what no float holds."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise ValidationError("This must be a number.")
        try:
            number = float(data)
        except OverflowError as error:
            raise ValidationError("This number is too large.") from error
        if not isfinite(number):
            raise ValidationError("This number is too large.")
        return number


class Truth(serializers.BooleanField):
    """True or false in JSON."""

    def to_internal_value(self, data: Any) -> bool:
        """Refuse words and numbers that are often taken for truth values."""
        if not isinstance(data, bool):
            raise ValidationError("This must be true or false.")
        return data


class Day(serializers.DateField):
    """A calendar day as 2030-01-31."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"input_formats": ["%Y-%m-%d"], **options})

    def to_internal_value(self, value: Any) -> Any:
        """Refuse what is not written as a day."""
        if not isinstance(value, str) or len(value) != len("2030-01-31"):
            raise ValidationError("Write a day as 2030-01-31.")
        return super().to_internal_value(value)


class Moment(serializers.DateTimeField):
    """A time with its time zone, as 2030-01-31T12:00:00Z."""

    def to_internal_value(self, value: Any) -> Any:
        """Refuse what is not written as a time with a zone."""
        if not isinstance(value, str) or len(value) > len("2030-01-31T12:00:00.000000+00:00"):
            raise ValidationError("Write a time with its zone, as 2030-01-31T12:00:00Z.")
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValidationError("Write a time with its zone, as 2030-01-31T12:00:00Z.") from error
        if moment.tzinfo is None:
            raise ValidationError("The time has no zone. Add it: Z or +00:00; a plus sign in an address is %2B.")
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise ValidationError(f"The year must lie between {FIRST_YEAR} and {LAST_YEAR}.")
        return moment.astimezone(UTC)


class Choice(serializers.ChoiceField):
    """One of some words."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse what is not text before it is looked up."""
        if not isinstance(data, str):
            raise ValidationError("This must be text.")
        return super().to_internal_value(data)


class SizeSlug(serializers.RegexField):
    """The id of a size, as the catalogue has it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(SLUG, **{"max_length": 96, "trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> str:
        """Refuse what is not text."""
        if not isinstance(data, str):
            raise ValidationError("This must be text.")
        return super().to_internal_value(data)


@extend_schema_field({"type": "string", "maxLength": LONGEST_NUMBER})
class Figure(serializers.Field[Any, Any, Any, Any]):
    """An exact number, written as text so that no reader rounds it."""

    def to_internal_value(self, data: Any) -> Any:
        """Return it as a Decimal; refuse what is no finite number."""
        if not isinstance(data, str):
            raise ValidationError('Write the number as text, like "0.71".')
        try:
            return number_of(data, field=self.field_name or "value")
        except InvalidInput as error:
            raise ValidationError(f"{error.reason} {error.change}") from error

    def to_representation(self, value: Any) -> str:
        """Return the shortest plain text of it."""
        return number_text(value)


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}]})
class Exact(serializers.Field[Any, Any, Any, Any]):
    """Text, a whole number or a truth value: what every reader keeps as it is."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse fractions and everything that holds other things."""
        if not isinstance(data, str | int):
            raise ValidationError('Write text, a whole number, true or false; a fraction as text, like "0.7".')
        return data

    def to_representation(self, value: Any) -> Any:
        """Return it as it is."""
        return value
