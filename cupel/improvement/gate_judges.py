"""Who may decide at the gate where there is no gold: not who tuned the prompt, and nobody on their own records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cupel.errors import SettingError
from cupel.models import TierModels, check_model, family, same_family


def check_judges(
    models: TierModels, gate_judge: str, jury: Sequence[str], env: Mapping[str, str]
) -> tuple[str, ...]:
    """Refuse judges that could not be trusted at the gate; returns what to know about the others.

    Args:
        models: Of the roles; `judge` is the one the prompt is tuned by.
        gate_judge: Of the held-out documents.
        jury: Who sits with it.
        env: Where keys are looked for.

    Raises:
        SettingError: For no judge, one that tuned the prompt or wrote the records, or one that cannot be reached.
    """
    if not models.judge:
        raise SettingError(
            "neither the documents' gold nor a judge could tell a right record from a wrong one; "
            "give documents with `gold`, or name a --judge-model"
        )
    if not gate_judge or gate_judge == models.judge:
        raise SettingError(
            f"{models.judge} tunes the prompt, so another judge must decide on the held-out documents; "
            "name one of another family with --gate-judge, or give documents with `gold`"
        )
    check_model("gate judge", gate_judge, env)
    for role in ("cheap", "strong"):
        for judge in (gate_judge, *jury):
            if judge == getattr(models, role):
                raise SettingError(
                    f"{judge} would judge its own records at the gate: it is the {role} model; name another with "
                    "--gate-judge or --jury"
                )
    for juror in jury:
        if same_family(juror, gate_judge):
            raise SettingError(
                f"{juror} and {gate_judge} are both of the {family(juror)} family, and would sit together at the gate; "
                "name another with --jury"
            )
    return tuple(_kinships(models, gate_judge))


def _kinships(models: TierModels, gate_judge: str) -> list[str]:
    """Judges of one family share their blind spots: allowed, and said."""
    others = {
        "writes the records": models.cheap,
        "answers in doubt": models.strong,
        "tunes the prompt": models.judge,
    }
    return [
        f"the gate's judge {gate_judge} is of the {family(gate_judge)} family, like {other}, which {does}: it may share "
        "its mistakes; name one of another family with --gate-judge"
        for does, other in others.items()
        if other and same_family(gate_judge, other)
    ]
