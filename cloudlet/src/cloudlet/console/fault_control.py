"""Serve ``/_cloudlet/faults``, which shows and changes the fault plan of a running server."""

import dataclasses

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from cloudlet.config import ConfigError
from cloudlet.errors import bad_request, unauthorized
from cloudlet.faults.plan import FaultPlan
from cloudlet.faults.rules import rule_from_json
from cloudlet.services import services_of
from cloudlet.web.auth import authenticate_basic
from cloudlet.web.forms import read_form


def _shown(plan: FaultPlan) -> Response:
    rules = [{**dataclasses.asdict(rule), "hits": hits} for rule, hits in zip(plan.rules, plan.hits, strict=True)]
    return JSONResponse({"seed": plan.seed, "rules": rules})


async def faults(request: Request) -> Response:
    """Return the plan on GET, replace it by ``{"seed": 1, "rules": [...]}`` on PUT, and clear it on DELETE.

    Raises ApiError 401 without credentials, and 400 if a rule is invalid.
    """
    services = services_of(request)
    if not authenticate_basic(request, services.settings):
        raise unauthorized("Must supply api_key and api_secret by HTTP Basic authentication")
    if request.method == "PUT":
        form = await read_form(request, services.store.stage, services.settings.max_upload_bytes)
        form.discard()
        rules = form.params.json("rules") or []
        if not isinstance(rules, list) or any(not isinstance(rule, dict) for rule in rules):
            raise bad_request("rules must be a list of objects")
        try:
            parsed = [rule_from_json(rule) for rule in rules]
        except ConfigError as error:
            raise bad_request(str(error)) from error
        services.faults.replace(parsed, form.params.integer("seed", services.faults.seed))
    elif request.method == "DELETE":
        services.faults.replace([], services.faults.seed)
    return _shown(services.faults)


routes: list[BaseRoute] = [Route("/_cloudlet/faults", faults, methods=["GET", "PUT", "DELETE"])]
