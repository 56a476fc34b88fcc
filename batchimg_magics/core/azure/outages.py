"""Ask again after a passing outage: a busy or failing service, a lost connection, a lost answer.

Azure may have handled a request whose answer was lost. Most requests can be repeated all the same: a PUT asks for the
same state, a DELETE finds nothing, and a POST that starts something is refused with a conflict while it runs; who sends
it reads the resource then, and finds what the first one did. Some requests would do their work twice. They are not
repeated where their answer is lost: who sends them reads first what the resource is now.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline.policies import AsyncRetryPolicy
from azure.core.rest import AsyncHttpResponse

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineRequest, PipelineResponse

#: How often a request is sent again: after an error of the service; after a lost connection to a host that answered
#: before; and to one that never did, where the address or the network is more likely wrong.
MAX_REPEATS, MAX_RECONNECTS, MAX_FIRST_CONNECTS = 12, 8, 3
#: The longest pause in seconds. The second try follows at once, then the pauses double: 12 tries take four minutes.
_FIRST_PAUSE_S, _MAX_PAUSE_S = 1.6, 30.0
#: Source: azure-core, RetryPolicy.
_FAILED = frozenset({408, 429, 500, 502, 503, 504})
_BAD_REQUEST = 400
#: How often other errors are asked again for which the service itself says when. Longer pauses are not waited for.
_MAX_ASKED, _MAX_ASKED_PAUSE_S = 3, 600.0
#: The ends of paths of requests that are not repeated where Azure may have handled them, and the statuses that leave it
#: open: a gateway gave up.
_ONCE_ONLY, _UNCLEAR = ("/runcommand", "/resize", "/removenodes"), frozenset({502, 504})


def pause_s(repeats: int) -> float:
    """Return the seconds before a request is sent for the time after so many repetitions."""
    return 0.0 if not repeats else min(_MAX_PAUSE_S, _FIRST_PAUSE_S * 2 ** (repeats - 1))


class OutagePolicy(AsyncRetryPolicy[Any, Any]):
    """Repeats requests that failed for a reason that passes, for some minutes.

    The base class repeats three times, within seconds, and no POST whose connection was lost. Of it, only the parser of
    Retry-After is used; SDK clients accept no retry policy of another class.

    Parameters
    ----------
    answered
        The hosts that have answered on this connection; this policy adds to them.
    """

    def __init__(self, answered: set[str]) -> None:
        super().__init__()
        self._answered = answered

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send a request until it is answered, and return the answer.

        Raises
        ------
        azure.core.exceptions.AzureError
            The outage takes too long. An answer with an error that is no JSON is raised too: the SDKs would log it.
        """
        url = urlsplit(request.http_request.url)
        is_once = url.path.lower().endswith(_ONCE_ONLY)
        transport: Any = request.context.transport
        repeats = 0
        while True:
            wait_s = pause_s(repeats)
            try:
                response = await self.next.send(request)
            except ClientAuthenticationError:
                raise
            except ServiceRequestError:
                most = MAX_RECONNECTS if url.netloc in self._answered else MAX_FIRST_CONNECTS
                if repeats >= most:
                    raise
            except (ServiceResponseError, IncompleteReadError):
                if is_once or repeats >= MAX_RECONNECTS:
                    raise
            else:
                self._answered.add(url.netloc)
                status = response.http_response.status_code
                asked_s = self._asked_pause_s(response)
                most = 0 if is_once and status in _UNCLEAR else MAX_REPEATS if status in _FAILED else _MAX_ASKED
                if not (status in _FAILED or asked_s) or repeats >= most or asked_s > _MAX_ASKED_PAUSE_S:
                    return await _readable(response)
                wait_s = asked_s or wait_s
            repeats += 1
            await transport.sleep(wait_s)  # also 0: it lets others run

    def _asked_pause_s(self, response: PipelineResponse[Any, Any]) -> float:
        """Return the seconds after which the service asks for the request again; 0: it does not, or it succeeded."""
        if response.http_response.status_code < _BAD_REQUEST:
            return 0.0
        return self.get_retry_after(response) or 0.0


async def _readable(response: PipelineResponse[Any, Any]) -> PipelineResponse[Any, Any]:
    """Return an answer, and raise an error whose body the SDKs cannot read: they would log it with a traceback."""
    answer = response.http_response
    if answer.status_code >= _BAD_REQUEST:
        if isinstance(answer, AsyncHttpResponse):
            await answer.read()
        try:
            json.loads(answer.text())
        except ValueError:
            raise HttpResponseError(response=answer) from None
    return response
