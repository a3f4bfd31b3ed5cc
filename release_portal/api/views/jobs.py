"""Jobs: generate, follow, stop."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from inference.contract import Function
from release_portal.api.base import TokenView
from release_portal.api.documented import WAITS, documented
from release_portal.api.paging import page_of, page_schema
from release_portal.api.serializers.jobs import GenerationInput, JobFacts, JobQuery, JobRow
from release_portal.api.shown import Shown
from release_portal.detection.lookups import report_of_job
from release_portal.generation.services import generate
from release_portal.jobs.lookups import job_for, jobs_for
from release_portal.jobs.models import Job
from release_portal.jobs.services import cancel_job

TAG = "jobs"


class Jobs(TokenView):
    """Your jobs."""

    query = JobQuery
    is_one_transaction = False

    @documented("list_jobs", page_schema("Job", JobRow), tag=TAG, query=JobQuery)
    def get(self, request: Request) -> Response:
        """List your jobs, newest first; prompt and output are read one by one."""
        jobs = jobs_for(self.actor)
        if state := self.asked_for.get("state"):
            jobs = jobs.filter(state=state)
        if size := self.asked_for.get("size"):
            jobs = jobs.filter(size__slug=size)
        return page_of(jobs, JobRow, self.asked_for)

    @documented("generate", JobFacts, tag=TAG, body=GenerationInput, is_keyed=True, status=202, errors=(404, *WAITS))
    def post(self, request: Request) -> Response:
        """Queue a generation; read the job until it has ended."""
        return self.once(self._generate)

    def _generate(self, key: str | None) -> Response:
        values = self.sent(GenerationInput)
        job = generate(self.actor, values.pop("size"), values, at=self.at, interface="api", submit_key=key)
        return accepted(job)


class OneJob(TokenView):
    """One of your jobs."""

    @documented("read_job", JobFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, job_id: str) -> Response:
        """Return one of your jobs with its prompt and, once it has ended, its output."""
        return Response(facts_of(job_for(self.actor, job_id)))


class Cancellation(TokenView):
    """Stop one of your jobs."""

    scopes = ("generate", "detect")
    is_one_transaction = False

    @documented("cancel_job", JobFacts, tag=TAG, is_keyed=True, status=202, errors=(404, 503))
    def post(self, request: Request, job_id: str) -> Response:
        """Ask the worker to stop; the job ends a moment later, and what was delivered is charged."""
        return self.once(lambda _key: accepted(cancel_job(self.actor, job_id)))


def accepted(job: Job) -> Response:
    """Return the answer to what goes on after it: the job, and where to read it."""
    response = Response(facts_of(job), status=202)
    response["Location"] = reverse("api-job", args=[job.pk])
    return response


def facts_of(job: Job) -> Any:
    """Return a job with its content."""
    shown = Shown(
        job,
        samples=job.output if job.function == Function.GENERATE else [],
        detection=report_of_job(job),
        embedding=next(iter(job.output), None) if job.function == Function.EMBED else None,
    )
    return JobFacts(shown).data
