# SPDX-License-Identifier: Apache-2.0
"""The clients, put together from the services' methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heed_client.graphs import AsyncGraphMethods, GraphMethods
from heed_client.language import AsyncLanguageMethods, LanguageMethods
from heed_client.models import AsyncModelMethods, ModelMethods
from heed_client.questions import AsyncQuestionMethods, QuestionMethods
from heed_client.sequences import AsyncSequenceMethods, SequenceMethods
from heed_client.translation import AsyncTranslationMethods, TranslationMethods

if TYPE_CHECKING:
    from typing_extensions import Self


class Client(TranslationMethods, GraphMethods, QuestionMethods, SequenceMethods, LanguageMethods, ModelMethods):
    """One connection; may be used by many threads at once. See with_options for calls that differ. Calls that fail raise
    HeedError."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the calls in progress. The clients that with_options made are closed too."""
        self._connection.close()


class AsyncClient(
    AsyncTranslationMethods,
    AsyncGraphMethods,
    AsyncQuestionMethods,
    AsyncSequenceMethods,
    AsyncLanguageMethods,
    AsyncModelMethods,
):
    """Client with coroutines and asynchronous iterators: for one event loop, and many tasks of it at once. Whoever cancels
    the task that waits for a call cancels the call, also on the server."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the calls in progress. The clients that with_options made are closed too."""
        await self._connection.close()
