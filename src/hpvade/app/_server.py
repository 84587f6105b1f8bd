"""The routes: each reads a request, asks the session, and answers with a page."""

from __future__ import annotations

import time
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from hpvade.app._downloads import REPORT, ZIP, files_of, list_results, zip_of
from hpvade.app._guard import PUBLIC, UPLOAD, Address, Guard
from hpvade.app._pages import Pages, progress_values, report_values
from hpvade.app._request_error import RequestError
from hpvade.app._uploads import receive_form

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from hpvade.app._job import Job
    from hpvade.app._session import Session

# Ours, but it shows names of other people's data: it may run its own scripts, and reach nothing.
_OF_REPORT = {
    "content-security-policy": (
        "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
        "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    )
}


def make_app(session: Session, *, token: str, address: Address, most_bytes: int) -> Guard:
    """Make the server's application.

    Parameters
    ----------
    session
        What the pages are about.
    token
        What a visitor must know.
    address
        Where the server listens.
    most_bytes
        Of one upload.
    """
    routes = _Routes(session, most_bytes=most_bytes)
    app = Starlette(
        routes=[
            Route("/", routes.choose),
            Route(UPLOAD, routes.check, methods=["GET", "POST"]),
            Route("/run", routes.run, methods=["GET", "POST"]),
            Route("/progress/{kind}", routes.progress),
            Route("/cancel", routes.cancel, methods=["POST"]),
            Route("/start-over", routes.start_over, methods=["POST"]),
            Route("/report", routes.report),
            Route("/download", routes.download_all),
            Route("/download/{name:path}", routes.download),
            Mount(PUBLIC.rstrip("/"), StaticFiles(directory=str(files("hpvade.app") / "static"))),
        ],
        exception_handlers={
            RequestError: routes.on_refusal,
            HTTPStatus.NOT_FOUND: routes.on_not_found,
        },
    )
    return Guard(app, token, address, most_bytes, routes.refuse)


class _Routes:
    def __init__(self, session: Session, *, most_bytes: int) -> None:
        self.session, self.most_bytes = session, most_bytes
        self.pages = Pages(session, most_bytes=most_bytes)

    async def choose(self, _request: Request) -> Response:
        return self._page("choose", **self.pages.form())

    async def check(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._take(request)
        job = self.session.check
        if job is None:
            return _to("/")
        if job.state == "running":
            return self._page("checking", **self._progress_of(job))
        values = report_values(job.answer) if job.state == "done" else {}
        return self._page("check", job=job, report=values, **self.pages.form())

    async def _take(self, request: Request) -> Response:
        """Take the form, and look at what it chooses."""
        self.session.refuse_if_busy()
        if self.session.uploading:
            msg = "Another upload is arriving, perhaps from another window. Wait for its end."
            raise RequestError(msg, status=HTTPStatus.CONFLICT)
        self.session.uploading = True
        try:
            form = await receive_form(request, folder=self.session.folder, most_bytes=self.most_bytes)
        finally:
            self.session.uploading = False
        try:
            self.session.take(form)
        except RequestError:
            form.discard()
            raise
        if missing := self.session.choices.missing:
            raise RequestError(missing)
        self.session.start_check()
        # a script that sent the form shows how far it is, and goes on by itself
        return JSONResponse({"next": UPLOAD}) if _wants_json(request) else _to(UPLOAD)

    async def run(self, request: Request) -> Response:
        if request.method == "POST":
            form = await request.form()
            number = str(form.get("check", ""))
            self.session.start_run(int(number) if number.isdecimal() else 0)
            return _to("/run")
        job = self.session.run
        if job is None:
            return _to(UPLOAD)
        if job.state == "running":
            return self._page("running", **self._progress_of(job))
        if job.state == "done":
            return self._page("done", job=job, results=list_results(job.task.output))
        return self._page("ended", job=job)

    async def progress(self, request: Request) -> Response:
        """Answer with the part of a page that changes while a job goes on."""
        job = self.session.run if request.path_params["kind"] == "run" else self.session.check
        if job is None:
            return HTMLResponse("", headers={"x-job-state": "none"})
        page = self.pages.write("_progress", **self._progress_of(job))
        return HTMLResponse(page, headers={"x-job-state": job.state})

    async def cancel(self, _request: Request) -> Response:
        of_run = self.session.busy
        self.session.cancel()
        return _to("/run" if of_run else "/")

    async def start_over(self, _request: Request) -> Response:
        self.session.start_over()
        return _to("/")

    async def report(self, _request: Request) -> Response:
        return FileResponse(self._result(REPORT), media_type="text/html", headers=_OF_REPORT)

    async def download(self, request: Request) -> Response:
        path = self._result(request.path_params["name"])
        return FileResponse(path, media_type="application/octet-stream", filename=path.name)

    async def download_all(self, _request: Request) -> Response:
        headers = {"content-disposition": f'attachment; filename="{ZIP}.zip"'}
        return StreamingResponse(zip_of(self._results()), media_type="application/zip", headers=headers)

    def _results(self) -> Path:
        if self.session.results is None:
            msg = "There are no results, or not any more. Run again."
            raise RequestError(msg, status=HTTPStatus.NOT_FOUND)
        return self.session.results

    def _result(self, name: str) -> Path:
        """Find a file of the results by its name in their list."""
        found = files_of(self._results()).get(name)
        if found is None:
            msg = f"The results have no file '{name}'."
            raise RequestError(msg, status=HTTPStatus.NOT_FOUND)
        return found

    def _progress_of(self, job: Job) -> dict[str, Any]:
        return {"job": job, "progress": progress_values(job, time.monotonic())}

    def _page(self, page: str, **values: Any) -> Response:  # noqa: ANN401
        return HTMLResponse(self.pages.write(page, **values))

    def refuse(self, request: Request, refusal: RequestError) -> Response:
        """Say what is wrong, in the way that was asked for."""
        if _wants_json(request):
            return JSONResponse({"message": str(refusal)}, refusal.status)
        title = HTTPStatus(refusal.status).phrase
        inside = refusal.status not in {HTTPStatus.FORBIDDEN, HTTPStatus.MISDIRECTED_REQUEST}
        page = self.pages.write("refused", title=title, message=str(refusal), inside=inside)
        return HTMLResponse(page, refusal.status)

    async def on_refusal(self, request: Request, error: Exception) -> Response:
        return self.refuse(request, error if isinstance(error, RequestError) else RequestError(str(error)))

    async def on_not_found(self, request: Request, _error: Exception) -> Response:
        msg = "There is no such page."
        return self.refuse(request, RequestError(msg, status=HTTPStatus.NOT_FOUND))


def _to(path: str) -> Response:
    """Lead to another page, which can then be loaded again without sending anything again."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def _wants_json(request: Request) -> bool:
    return request.headers.get("accept") == "application/json"
