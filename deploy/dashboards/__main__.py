"""Write the JSON of all dashboards."""

from deploy.dashboards import catalog

for name, text in catalog.rendered().items():
    (catalog.FOLDER / name).write_text(text)
