"""`/v1/models`: engines, models of the settings, and OpenAI's names for the default."""

from fastapi import APIRouter
from pydantic import BaseModel

from web import errors
from web.access.clients import ClientDep
from web.errors import not_found
from web.service import Service, ServiceDep
from web.speech.request import Translation

router = APIRouter(tags=["models"], responses=errors.RESPONSES)


class Model(BaseModel):
    """A model."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = "voxchord"


class ModelList(BaseModel):
    """All models."""

    object: str = "list"
    data: list[Model]


@router.get("/v1/models")
async def list_models(service: ServiceDep, client: ClientDep) -> ModelList:
    """List the values of the field `model`."""
    return ModelList(data=[Model(id=name) for name in _names(service)])


@router.get("/v1/models/{model:path}")
async def get_model(service: ServiceDep, client: ClientDep, model: str) -> Model:
    """Describe one model."""
    if model not in _names(service):
        raise not_found(f"model {model[:64]!r}")
    return Model(id=model)


def _names(service: Service) -> list[str]:
    return Translation(service.settings, service.engines).models()
