"""A program written for Vapi, of which only the base URL is changed. Run with one version of `vapi-server-sdk` on the
path: prints one JSON object of what it saw. It is a program of its own: it imports nothing of ours."""

import json
import sys
import time

import vapi
from vapi import Vapi
from vapi.core.api_error import ApiError

base_url, key, sip_target, ended_call_id = sys.argv[1:5]
client = Vapi(token=key, base_url=base_url)
seen = {}


def note(name, value):
    seen[name] = value


def kind(value):
    return type(value).__name__


def fails(name, call):
    try:
        call()
    except ApiError as fault:
        note(name, {"status": fault.status_code, "body": fault.body})
    else:
        note(name, None)


# assistants
assistant = client.assistants.create(
    name="Front desk",
    first_message="Hello {{first_name}}, this is the front desk.",
    model={
        "provider": "openai",
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "Be brief."}],
        "tools": [{"type": "endCall"}],
    },
    voice={"provider": "11labs", "voiceId": "burt"},
    transcriber={"provider": "deepgram", "model": "nova-2"},
    server={"url": "http://127.0.0.1:9/vapi", "timeoutSeconds": 20},
    server_messages=["end-of-call-report", "status-update"],
    start_speaking_plan={"waitSeconds": 0.4},
    analysis_plan={"summaryPlan": {"enabled": True}},
    max_duration_seconds=10,
)
note("assistant", [kind(assistant), kind(assistant.model), kind(assistant.voice), kind(assistant.transcriber)])
note("assistant.model", assistant.model.model)
note("assistant.get", client.assistants.get(assistant.id).first_message)
note("assistant.list", assistant.id in [a.id for a in client.assistants.list(limit=10)])
updated = client.assistants.update(assistant.id, first_message=None, name="New name")
note("assistant.update", [updated.name, updated.first_message])
fails("assistant.unknown", lambda: client.assistants.get("00000000-0000-0000-0000-000000000000"))
fails("assistant.invalid", lambda: client.assistants.create(name="x" * 41))

# phone numbers
uri = "sip:sdk-" + str(time.time_ns()) + "@localhost"
number = client.phone_numbers.create(
    request={"provider": "vapi", "sipUri": uri, "assistantId": assistant.id, "name": "Desk"}
)
note("number", [kind(number), number.provider, number.sip_uri == uri, number.assistant_id == assistant.id])
note("number.get", kind(client.phone_numbers.get(number.id)))
note("number.list", number.id in [n.id for n in client.phone_numbers.list(limit=1000)])
patched = client.phone_numbers.update(
    number.id,
    request={"provider": "vapi", "assistantId": None, "serverUrl": "http://127.0.0.1:9/vapi"},
)
note("number.update", [patched.assistant_id, patched.server.url])
fails(
    "number.taken",
    lambda: client.phone_numbers.create(
        request={"provider": "vapi", "sipUri": uri.upper().replace("SIP:", "sip:")}
    ),
)
if hasattr(client.phone_numbers, "phone_number_controller_find_all_paginated"):
    page = client.phone_numbers.phone_number_controller_find_all_paginated(search=uri[4:20], limit=5)
    note("number.page", [kind(page), [n.id for n in page.results] == [number.id], int(page.metadata.total_items)])

# tools, squads, files, structured outputs, analytics
tool = client.tools.create(
    request={
        "type": "function",
        "function": {"name": "book", "parameters": {"type": "object", "properties": {"day": {"type": "string"}}}},
        "server": {"url": "http://127.0.0.1:9/tools"},
        "async": False,
    }
)
note("tool", [kind(tool), tool.function.name])
note("tool.get", client.tools.get(tool.id).function.name)
note("tool.list", tool.id in [t.id for t in client.tools.list()])
note("tool.delete", client.tools.delete(tool.id).id == tool.id)
squad = client.squads.create(name="Team", members=[{"assistantId": assistant.id}])
note("squad", [kind(squad), squad.members[0].assistant_id == assistant.id])
note("squad.delete", client.squads.delete(squad.id).id == squad.id)
file = client.files.create(file=("notes.txt", b"some notes", "text/plain"))
note("file", [kind(file), file.name, int(file.bytes), file.status])
note("file.list", file.id in [f.id for f in client.files.list()])
note("file.update", client.files.update(file.id, name="renamed").name)
note("file.delete", client.files.delete(file.id).id == file.id)
if hasattr(client, "structured_outputs"):
    outputs = client.structured_outputs
    output = outputs.structured_output_controller_create(
        name="topic", schema={"type": "object", "properties": {"topic": {"type": "string"}}}
    )
    note("output", [kind(output), output.name])
    note("output.list", output.id in [o.id for o in outputs.structured_output_controller_find_all().results])
    note("output.delete", outputs.structured_output_controller_remove(output.id).id == output.id)
result = client.analytics.get(
    queries=[{"table": "call", "name": "calls", "operations": [{"operation": "count", "column": "id"}]}]
)
note("analytics", [kind(result[0]), result[0].name, int(result[0].result[0]["countId"]) > 0])

# calls
ended = client.calls.get(ended_call_id)
note("call", [kind(ended), ended.status, ended.type, ended.ended_reason])
note(
    "call.artifact",
    [kind(ended.artifact), ended.artifact.transcript.startswith("AI: "), bool(ended.artifact.messages)],
)
note("call.message", [m.role for m in ended.artifact.messages][:1])
note("call.costs", sorted(cost.type for cost in ended.costs))
note("call.list", ended_call_id in [c.id for c in client.calls.list(limit=100)])
note("call.update", client.calls.update(ended_call_id, name="Named").name)
placed = client.calls.create(
    assistant_id=assistant.id,
    phone_number_id=number.id,
    customer={"sipUri": sip_target, "name": "Bob"},
)
placed = placed if hasattr(placed, "id") else placed.results[0]
note("call.create", [placed.status, placed.type, placed.customer.name])
for _ in range(100):
    if client.calls.get(placed.id).status == "ended":
        break
    time.sleep(0.2)
note("call.ended", client.calls.get(placed.id).status)
note("call.delete", client.calls.delete(placed.id).id == placed.id)
fails("call.deleted", lambda: client.calls.get(placed.id))
fails("call.nobody", lambda: client.calls.create(phone_number_id=number.id, customer={"sipUri": sip_target}))

# the end
note("number.delete", client.phone_numbers.delete(number.id).id == number.id)
note("assistant.delete", client.assistants.delete(assistant.id).id == assistant.id)
stranger = Vapi(token="wrong", base_url=base_url)
fails("wrong key", lambda: stranger.assistants.list())
print(json.dumps({"version": getattr(vapi, "__version__", None), "seen": seen}))
