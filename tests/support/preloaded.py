"""gunicorn's configuration: its master imports the application once, and not each worker again."""

from tearsheet.web import import_application

import_application()
