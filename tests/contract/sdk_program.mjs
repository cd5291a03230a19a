// A program written for Vapi's TypeScript SDK, of which only the base URL is changed. Prints one JSON object.
import { createRequire } from "node:module";

const [modules, baseUrl, token, endedCallId] = process.argv.slice(2);
const { VapiClient, VapiError } = createRequire(modules + "/")("@vapi-ai/server-sdk");
const client = new VapiClient({ token, baseUrl });
const seen = {};

async function fails(name, call) {
  try {
    await call();
    seen[name] = null;
  } catch (fault) {
    seen[name] = fault instanceof VapiError ? { status: fault.statusCode, body: fault.body } : String(fault);
  }
}

const assistant = await client.assistants.create({
  name: "Desk",
  firstMessage: "Hello {{first_name}}.",
  model: { provider: "openai", model: "gpt-4o", messages: [{ role: "system", content: "Be brief." }] },
  voice: { provider: "11labs", voiceId: "burt" },
});
seen.assistant = [assistant.name, assistant.model.provider];
seen.get = (await client.assistants.get({ id: assistant.id })).firstMessage;
seen.list = (await client.assistants.list({ limit: 5 })).some((a) => a.id === assistant.id);
const updated = await client.assistants.update({ id: assistant.id, firstMessage: null, name: "Other" });
seen.update = [updated.name, updated.firstMessage];
const uri = `sip:node-${process.hrtime.bigint()}@localhost`;
const number = await client.phoneNumbers.create({ provider: "vapi", sipUri: uri, assistantId: assistant.id });
seen.number = [number.provider, number.sipUri === uri];
const patched = await client.phoneNumbers.update({
  id: number.id,
  body: { provider: "vapi", assistantId: null, server: { url: "http://127.0.0.1:9/vapi" } },
});
seen.patched = [patched.assistantId, patched.server.url];
const tool = await client.tools.create({ type: "function", function: { name: "book" } });
seen.tool = [tool.type, tool.function.name];
seen.toolDeleted = (await client.tools.delete({ id: tool.id })).id === tool.id;
const call = await client.calls.get({ id: endedCallId });
seen.call = [call.status, call.type, call.artifact.transcript.startsWith("AI: ")];
seen.calls = (await client.calls.list({ limit: 100 })).some((c) => c.id === endedCallId);
seen.analytics = (await client.analytics.get({
  queries: [{ table: "call", name: "n", operations: [{ operation: "count", column: "id" }] }],
}))[0].name;
await fails("unknown", () => client.assistants.get({ id: "00000000-0000-0000-0000-000000000000" }));
await fails("invalid", () => client.assistants.create({ name: "x".repeat(41) }));
seen.numberDeleted = (await client.phoneNumbers.delete({ id: number.id })).id === number.id;
seen.assistantDeleted = (await client.assistants.delete({ id: assistant.id })).id === assistant.id;
await fails("wrong key", () => new VapiClient({ token: "wrong", baseUrl }).assistants.list({}));
console.log(JSON.stringify(seen));
