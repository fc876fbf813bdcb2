import json

import pytest

from brightstaff.orchestrator.prompt import STYLES, PromptStyle, RouteOption, StyleName, prompt_style

_ORCHESTRATOR = STYLES["orchestrator_v1"]
_ARCH_ROUTER = STYLES["arch_router_v1"]
_IMG = RouteOption("img", "pictures")
_ONE_ROUTE = (
    '{"name": "img", "description": "pictures", "parameters": {"type": "object", "properties": {}, "required": []}}'
)
_WHOLE_PROMPT = """
You are a helpful assistant that selects the most suitable routes based on user intent.
You are provided with a list of available routes enclosed within <routes></routes> XML tags:
<routes>
{"name": "img", "description": "pictures", "parameters": {"type": "object", "properties": {}, "required": []}}
</routes>

You are also given the conversation context enclosed within <conversation></conversation> XML tags:
<conversation>
[
    {
        "role": "user",
        "content": "hi"
    },
    {
        "role": "assistant",
        "content": "Hello! How can I assist you today?"
    },
    {
        "role": "user",
        "content": "draw ü"
    }
]
</conversation>

## Instructions
1. Analyze the latest user intent from the conversation.
2. Compare it against the available routes to find which routes can help fulfill the request.
3. Respond only with the exact route names from <routes>.
4. If no routes can help or the intent is already fulfilled, return an empty list.

## Response Format
Return your answer strictly in JSON as follows:
{{"route": ["route_name_1", "route_name_2", "..."]}}
If no routes are needed, return an empty list for `route`.
"""
_WHOLE_ARCH_PROMPT = (
    "\nYou are a helpful assistant designed to find the best suited route.\n"
    "You are provided with route description within <routes></routes> XML tags:\n<routes>\n"
    '[{"name":"img","description":"pictures"},{"name":"code","description":"writing code"}]'
    '\n</routes>\n\n<conversation>\n[{"role":"user","content":"hi"}]\n</conversation>\n\n'
    "Your task is to decide which route is best suit with user intent on the conversation in "
    "<conversation></conversation> XML tags.  Follow the instruction:\n"
    "1. If the latest intent from user is irrelevant or user intent is full filled, response with other route "
    '{"route": "other"}.\n'
    "2. You must analyze the route descriptions and find the best match route for user latest intent.\n"
    "3. You only response the name of the route that best matches the user's request, use the exact name in the "
    "<routes></routes>.\n\n"
    "Based on your analysis, provide your response in the following JSON formats if you decide to match any route:\n"
    '{"route": "route_name"}\n'
)


def _between(text: str, tag: str) -> str:
    return text.rpartition(f"<{tag}>\n")[2].partition(f"\n</{tag}>")[0]


def test_the_orchestrators_prompt_is_exact() -> None:
    conversation = [("user", "hi"), ("assistant", "Hello! How can I assist you today?"), ("user", "draw ü")]
    assert _ORCHESTRATOR.prompt([_IMG], conversation) == _WHOLE_PROMPT


def test_the_arch_routers_prompt_is_exact() -> None:
    routes = [_IMG, RouteOption("code", "writing code")]
    assert _ARCH_ROUTER.prompt(routes, [("user", "hi")]) == _WHOLE_ARCH_PROMPT


def test_routes_are_one_json_object_a_line_in_the_given_order() -> None:
    prompt = _ORCHESTRATOR.prompt([RouteOption("zebra", 'a "b": c'), _IMG], [("user", "hi")])
    first, second = prompt.partition("<routes>\n")[2].partition("\n</routes>")[0].splitlines()
    assert json.loads(first)["description"] == 'a "b": c'
    assert first.startswith('{"name": "zebra", "description": "a \\"b\\": c", "parameters": {"type": "object", ')
    assert second == _ONE_ROUTE


@pytest.mark.parametrize("style", [_ORCHESTRATOR, _ARCH_ROUTER], ids=["orchestrator_v1", "arch_router_v1"])
def test_placeholders_in_routes_and_messages_stay_as_they_are(style: PromptStyle) -> None:
    prompt = style.prompt([RouteOption("{conversation}", "{routes}")], [("user", "{routes} {conversation}")])
    assert prompt.count("{conversation}") == 2
    assert prompt.count("{routes}") == 2


def test_a_pasted_megabyte_is_cut_in_the_middle() -> None:
    text = "DO THIS: " + "x" * 500_000 + " what is it?"
    prompt = _ORCHESTRATOR.prompt([_IMG], [("user", text)], 2048)
    assert len(prompt.encode()) < 2048 * 4 + 846 + 1024
    content = json.loads(_between(prompt, "conversation"))[0]["content"]
    assert content.startswith("DO THIS: ")
    assert content.endswith(" what is it?")
    assert "…" in content


def test_the_text_of_the_routes_counts() -> None:
    conversation = [("user", "a" * 400), ("user", "b" * 400)]
    budget = 211 + 200 + 40
    alone = _ORCHESTRATOR.prompt([_IMG], conversation, budget)
    crowded = _ORCHESTRATOR.prompt([_IMG, RouteOption("code", "c" * 300)], conversation, budget)
    assert "a" * 400 in alone
    assert "a" * 400 not in crowded
    assert "b" * 400 in crowded


def test_long_descriptions_leave_room_for_the_conversation() -> None:
    routes = [RouteOption(f"route-{index}", f"begin {'é' * 4000} end") for index in range(20)]
    prompt = _ORCHESTRATOR.prompt(routes, [("user", "hi")])
    assert len(prompt.encode()) < 8192 * 4
    assert all(f'"name": "route-{index}", "description": "begin ' in prompt for index in range(20))


def test_the_budget_of_the_style_counts_where_none_is_given() -> None:
    conversation = [("user", "x" * 100_000)]
    sizes = {style.name: len(style.prompt([_IMG], conversation).encode()) for style in STYLES.values()}
    assert 8192 * 4 - 100 < sizes["orchestrator_v1"] < 8192 * 4 + 200
    assert 2048 * 4 - 100 < sizes["arch_router_v1"] < 2048 * 4 + 200


def test_the_arch_router_sees_more_than_sixteen_turns() -> None:
    conversation = [("user", f"turn-{index}") for index in range(40)]
    assert len(json.loads(_between(_ARCH_ROUTER.prompt([_IMG], conversation), "conversation"))) == 40


@pytest.mark.parametrize(
    ("model", "configured", "style"),
    [
        ("Plano-Orchestrator", None, "orchestrator_v1"),
        ("Arch-Router", None, "arch_router_v1"),
        ("hf.co/katanemo/Arch-Router-1.5B.gguf:Q4_K_M", None, "arch_router_v1"),
        ("katanemo/arch-router-1.5b", None, "arch_router_v1"),
        ("Arch-Router-1.5B", "orchestrator_v1", "orchestrator_v1"),
        ("Plano-Orchestrator", "arch_router_v1", "arch_router_v1"),
    ],
)
def test_the_style_goes_by_the_model_unless_configured(model: str, configured: StyleName | None, style: str) -> None:
    assert prompt_style(model, configured).name == style
