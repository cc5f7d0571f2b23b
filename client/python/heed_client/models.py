# SPDX-License-Identifier: Apache-2.0
"""ModelService: the server's models, loading and unloading."""

from __future__ import annotations

from typing import Iterable, List

from heed.v1 import models_pb2 as pb

from heed_client.async_transport import AsyncTransport
from heed_client.calls import Call, Listing, Method, nothing
from heed_client.transport import Transport

LIST_MODELS = Method("heed.v1.ModelService/ListModels", pb.ListModelsRequest, pb.ListModelsResponse)
LIST_MODEL_STATISTICS = Method(
    "heed.v1.ModelService/ListModelStatistics", pb.ListModelStatisticsRequest, pb.ListModelStatisticsResponse
)
LOAD_MODEL = Method("heed.v1.ModelService/LoadModel", pb.LoadModelRequest, pb.LoadModelResponse)
UNLOAD_MODEL = Method("heed.v1.ModelService/UnloadModel", pb.UnloadModelRequest, pb.UnloadModelResponse)


def models_listing() -> Listing[pb.ModelInfo]:
    return LIST_MODELS.listing(pb.ListModelsRequest(), lambda page: page.models)


def model_statistics_call(model: str) -> Call[List[pb.ModelStatistics]]:
    request = pb.ListModelStatisticsRequest(model=model)
    return LIST_MODEL_STATISTICS.call(request, lambda response: list(response.statistics))


def load_model_call(name: str, versions: Iterable[int]) -> Call[List[pb.ModelInfo]]:
    return LOAD_MODEL.call(pb.LoadModelRequest(model=name, versions=versions), lambda response: list(response.versions))


def unload_model_call(name: str) -> Call[None]:
    return UNLOAD_MODEL.call(pb.UnloadModelRequest(model=name), nothing)


class ModelMethods(Transport):
    """Of Client."""

    def models(self) -> List[pb.ModelInfo]:
        """A ModelInfo (name, kind, state, precision, kernel, ...) for every model directory of the server, also those that
        failed to load."""
        return self._list(models_listing())

    def model_statistics(self, model: str = "") -> List[pb.ModelStatistics]:
        """How much every version that serves has to do, and what it has done since it was loaded; of all models, or one."""
        return self._run(model_statistics_call(model))

    def load_model(self, name: str, versions: Iterable[int] = ()) -> List[pb.ModelInfo]:
        """Has the server load the model's new version, its files anew, or these versions; its ModelInfos."""
        return self._run(load_model_call(name, versions))

    def unload_model(self, name: str) -> None:
        """Takes the model out of service."""
        self._run(unload_model_call(name))


class AsyncModelMethods(AsyncTransport):
    """Of AsyncClient: ModelMethods as coroutines."""

    async def models(self) -> List[pb.ModelInfo]:
        """As Client.models."""
        return await self._list(models_listing())

    async def model_statistics(self, model: str = "") -> List[pb.ModelStatistics]:
        """As Client.model_statistics."""
        return await self._run(model_statistics_call(model))

    async def load_model(self, name: str, versions: Iterable[int] = ()) -> List[pb.ModelInfo]:
        """As Client.load_model."""
        return await self._run(load_model_call(name, versions))

    async def unload_model(self, name: str) -> None:
        """As Client.unload_model."""
        await self._run(unload_model_call(name))
