"""Where sizes stand, what holds them, and how a move is prepared and decided."""

from release_portal.releases.models.consultation import Comment, CommentWindow, ExternalReview, PartnerReport
from release_portal.releases.models.freezes import Freeze
from release_portal.releases.models.holds import Hold
from release_portal.releases.models.narrowings import Narrowing
from release_portal.releases.models.policies import PolicyAdoption, PolicyVersion
from release_portal.releases.models.proposals import Lock, Proposal
from release_portal.releases.models.recalls import Recall, RecallNotice
from release_portal.releases.models.standing import StageEntry, Standing
from release_portal.releases.models.votes import Vote
from release_portal.releases.models.waivers import Waiver, WaiverVote

__all__ = [
    "Comment",
    "CommentWindow",
    "ExternalReview",
    "Freeze",
    "Hold",
    "Lock",
    "Narrowing",
    "PartnerReport",
    "PolicyAdoption",
    "PolicyVersion",
    "Proposal",
    "Recall",
    "RecallNotice",
    "StageEntry",
    "Standing",
    "Vote",
    "Waiver",
    "WaiverVote",
]
