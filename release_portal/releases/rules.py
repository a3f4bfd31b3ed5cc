"""May a size be moved from one stage to another, and by whom? (pure)"""

from __future__ import annotations

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not, not_now
from release_portal.releases.ladder import neighbours, stage_of

RELEASE_MANAGER, DUTY_OFFICER = "release_manager", "duty_officer"


def may_move(
    actor: Actor, present: str, target: str, *, is_held: bool, missing_sections: tuple[str, ...] = ()
) -> Decision:
    """Decide on a move: one stage wider by a release manager, or any stage narrower by staff on duty as well.

    Args:
        actor: who asks; a token never moves a stage.
        present: slug of the present stage.
        target: slug of the stage asked for.
        is_held: whether a hold blocks widening.
        missing_sections: headings that the target stage requires and the newest card lacks.
    """
    is_wider = stage_of(target).ordinal > stage_of(present).ordinal
    rule = "moves: advance" if is_wider else "moves: roll back"
    roles = (RELEASE_MANAGER,) if is_wider else (RELEASE_MANAGER, DUTY_OFFICER)
    if actor.scopes is not None or not actor.has_role(*roles):
        names = " or ".join(role.replace("_", " ") for role in roles)
        return may_not("role", f"This move is made by a {names}.", rule, "Ask a release manager.")
    if target == present:
        return not_now("same_stage", f"The size already stands at {stage_of(present).label}.", rule, "Choose another.")
    if not is_wider:
        return allow("narrow", "Narrowing needs one person and no wait.", rule)
    if is_held:
        return not_now("held", "A hold blocks widening.", rule, "The hold must be released first.")
    _, above = neighbours(present)
    if above is None or above.slug != target:
        wanted = above.label if above else "none"
        return not_now("one_stage", "A size advances by one stage at a time.", rule, f"The next stage is: {wanted}.")
    if missing_sections:
        names = ", ".join(missing_sections)
        reason = f"For {above.label} the model card lacks: {names}."
        return not_now("card_incomplete", reason, rule, f"Edit the model card and fill in: {names}.")
    return allow("widen", "The next stage, asked for by a release manager.", rule)
