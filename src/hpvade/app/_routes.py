"""The routes: each reads a request, calls the session, and responds with a page."""

from __future__ import annotations

import time
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from hpvade.app._access import STATIC, UPLOAD, AccessMiddleware, Address
from hpvade.app._downloads import REPORT, ZIP, find_files, list_results, stream_zip
from hpvade.app._pages import Pages, progress_values, report_values
from hpvade.app._request_error import RequestError
from hpvade.app._uploads import receive_form

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from hpvade.app._job import Job
    from hpvade.app._session import Session

# The report shows names from the user's data: it may run its own scripts, but can access nothing else.
_REPORT_HEADERS = {
    "content-security-policy": (
        "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
        "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    )
}


def make_app(session: Session, *, token: str, address: Address, max_upload_bytes: int) -> AccessMiddleware:
    """Make the application of the server.

    Parameters
    ----------
    session
        The selection and the jobs that the pages show.
    token
        The token that a user needs.
    address
        Where the server listens.
    max_upload_bytes
        Maximum total size of the files of one upload.
    """
    routes = _Routes(session, max_upload_bytes=max_upload_bytes)
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
            Mount(STATIC.rstrip("/"), StaticFiles(directory=str(files("hpvade.app") / "static"))),
        ],
        exception_handlers={
            RequestError: routes.on_request_error,
            HTTPStatus.NOT_FOUND: routes.on_not_found,
        },
    )
    return AccessMiddleware(app, token, address, max_upload_bytes, routes.error_response)


class _Routes:
    def __init__(self, session: Session, *, max_upload_bytes: int) -> None:
        self.session, self.max_upload_bytes = session, max_upload_bytes
        self.pages = Pages(session, max_upload_bytes=max_upload_bytes)

    async def choose(self, _request: Request) -> Response:
        return self._page("choose", **self.pages.form())

    async def check(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._select(request)
        job = self.session.check
        if job is None:
            return _redirect("/")
        if job.state == "running":
            return self._page("checking", **self._progress(job))
        values = report_values(job.result) if job.state == "done" else {}
        return self._page("check", job=job, report=values, **self.pages.form())

    async def _select(self, request: Request) -> Response:
        """Receive the form, and start the check of its selection."""
        self.session.refuse_if_busy()
        if self.session.uploading:
            msg = "Another upload is in progress, perhaps in another window. Wait until it ends."
            raise RequestError(msg, status=HTTPStatus.CONFLICT)
        self.session.uploading = True
        try:
            form = await receive_form(request, folder=self.session.folder, max_bytes=self.max_upload_bytes)
        finally:
            self.session.uploading = False
        try:
            self.session.select(form)
        except RequestError:
            form.discard()
            raise
        if missing := self.session.selection.missing:
            raise RequestError(missing)
        self.session.start_check()
        # The script of the page shows the progress of the upload, and then loads the next page.
        return JSONResponse({"next": UPLOAD}) if _wants_json(request) else _redirect(UPLOAD)

    async def run(self, request: Request) -> Response:
        if request.method == "POST":
            form = await request.form()
            number = str(form.get("check", ""))
            self.session.start_run(int(number) if number.isdecimal() else 0)
            return _redirect("/run")
        job = self.session.run
        if job is None:
            return _redirect(UPLOAD)
        if job.state == "running":
            return self._page("running", **self._progress(job))
        if job.state == "done":
            return self._page("done", job=job, files=list_results(job.task.output, job.result["meanings"]))
        return self._page("ended", job=job)

    async def progress(self, request: Request) -> Response:
        """Respond with the part of a page that changes while a job runs."""
        job = self.session.run if request.path_params["kind"] == "run" else self.session.check
        if job is None:
            return HTMLResponse("", headers={"x-job-state": "none"})
        page = self.pages.write("_progress", **self._progress(job))
        return HTMLResponse(page, headers={"x-job-state": job.state})

    async def cancel(self, _request: Request) -> Response:
        is_run = self.session.busy
        self.session.cancel()
        return _redirect("/run" if is_run else "/")

    async def start_over(self, _request: Request) -> Response:
        self.session.start_over()
        return _redirect("/")

    async def report(self, _request: Request) -> Response:
        return FileResponse(self._result(REPORT), media_type="text/html", headers=_REPORT_HEADERS)

    async def download(self, request: Request) -> Response:
        path = self._result(request.path_params["name"])
        return FileResponse(path, media_type="application/octet-stream", filename=path.name)

    async def download_all(self, _request: Request) -> Response:
        headers = {"content-disposition": f'attachment; filename="{ZIP}.zip"'}
        return StreamingResponse(stream_zip(self._results()), media_type="application/zip", headers=headers)

    def _results(self) -> Path:
        if self.session.results is None:
            msg = "There are no results. Run the analysis first."
            raise RequestError(msg, status=HTTPStatus.NOT_FOUND)
        return self.session.results

    def _result(self, name: str) -> Path:
        """Find a file of the results by its name in the list."""
        found = find_files(self._results()).get(name)
        if found is None:
            msg = f"The results have no file '{name}'."
            raise RequestError(msg, status=HTTPStatus.NOT_FOUND)
        return found

    def _progress(self, job: Job) -> dict[str, Any]:
        return {"job": job, **progress_values(job, time.monotonic())}

    def _page(self, page: str, **values: Any) -> Response:  # noqa: ANN401
        return HTMLResponse(self.pages.write(page, **values))

    def error_response(self, request: Request, error: RequestError) -> Response:
        """Respond with an error, as a page or as JSON."""
        if _wants_json(request):
            return JSONResponse({"message": str(error)}, error.status)
        title = HTTPStatus(error.status).phrase
        has_access = error.status not in {HTTPStatus.FORBIDDEN, HTTPStatus.MISDIRECTED_REQUEST}
        page = self.pages.write("error", title=title, message=str(error), has_access=has_access)
        return HTMLResponse(page, error.status)

    async def on_request_error(self, request: Request, error: Exception) -> Response:
        return self.error_response(
            request, error if isinstance(error, RequestError) else RequestError(str(error))
        )

    async def on_not_found(self, request: Request, _error: Exception) -> Response:
        msg = "This page does not exist."
        return self.error_response(request, RequestError(msg, status=HTTPStatus.NOT_FOUND))


def _redirect(path: str) -> Response:
    """Redirect to another page, which can be reloaded without sending a form again."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def _wants_json(request: Request) -> bool:
    return request.headers.get("accept") == "application/json"
