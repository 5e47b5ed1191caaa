"""Entry module: `python -m celery -A tasks.app …`, in the project's folder, finds the app here.

It alone acts when it is imported: it reads the environment and looks for the embedded broker.
"""

from tasks.local.embedded_broker import url_of_running
from tasks.make_app import make_app
from tasks.settings import load

settings = load()
app = make_app(settings, settings.broker_url or url_of_running(settings.state) or "memory://")
