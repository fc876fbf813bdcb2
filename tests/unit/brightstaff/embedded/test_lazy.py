import asyncio

from brightstaff.embedded.lazy import LazyEmbeddedRouter
from brightstaff.routing.types import Turn
from planoctl.config.runtime import RoutingPreference

CODING = RoutingPreference(name="coding", description="writing functions and programs", models=("a/b",))


async def test_requests_that_come_first_together_load_one_router() -> None:
    router = LazyEmbeddedRouter()
    question = [Turn("user", "write a function that sorts numbers")]
    choices = await asyncio.gather(*(router.choose([CODING], question) for _ in range(5)))
    assert {choice.route for choice in choices} == {"coding"}
    assert await router.load() is await router.load()
