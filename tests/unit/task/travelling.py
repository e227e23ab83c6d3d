"""Classes in a module, as a user's own are: any process can import them."""

from pydantic import BaseModel, field_validator


class Speaker(BaseModel):
    """Who speaks."""

    name: str


class Stance(BaseModel):
    """A class with a validator, and another class in it."""

    reason: str
    speakers: list[Speaker] = []

    @field_validator("reason")
    @classmethod
    def check(cls, reason: str) -> str:
        """A reason says something."""
        if len(reason.split()) < 2:
            raise ValueError("a reason has at least two words")
        return reason
