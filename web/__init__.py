"""HTTP service: OpenAI's speech convention over the Celery app.

The service is a client of the Celery app: it sends tasks by name, and reads plans, segments and files from
the artifact store. It runs no stage and has no state of a job in memory, so several processes and machines
may serve.

Conventions:

- `app.make_app(settings, celery_app)` makes the application. A subject has a router (`APIRouter`) in a module
  or a folder of its own; `app._ROUTERS` lists them. Paths are written in full (`/v1/audio/…`).
- A handler is a coroutine and gets `service: ServiceDep` (settings, Celery app, jobs, voices, database) and,
  for all that costs or shows anything, `client: ClientDep`, which has authenticated the request. Anything
  that may block (store, broker, database, parsing, encoding) runs by `await service.away(function, …)`.
- Every error is OpenAI's object (`errors`). Handlers raise `ApiError`, or let errors of `pipeline.errors`, of
  broker, store and database pass: `errors.install` maps them. A router declares them by
  `responses=errors.RESPONSES`.
- A thing of one client is searched for in the client's namespace (`Client.namespace`); what is not there is a
  404 (`errors.not_found`), as if it did not exist. Text of a script is never logged.
- Limits of bodies, by path, are in `guard.LIMITS`; a body is refused before it is read.
- `launch` is imported by the command line and imports neither FastAPI nor uvicorn.
"""
