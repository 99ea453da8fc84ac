import { endSessions } from "@/sessions/ended";
import { redeem, Refused } from "@/sessions/logout-token";

const LARGEST = 16 * 1024; // bytes; anybody may post here

/** The bridge tells that a session has ended (OpenID Connect Back-Channel Logout 1.0, sections 2.5 to 2.8). */
export async function POST(request: Request) {
  const body = await read(request);
  if (body === undefined) return answer(413, { error: "invalid_request" });
  try {
    await endSessions(await redeem(new URLSearchParams(body).get("logout_token") ?? ""));
  } catch (error) {
    if (error instanceof Refused) return answer(400, { error: "invalid_request" });
    console.error("A logout token could not be dealt with:", error);
    return answer(503, { error: "temporarily_unavailable" }); // the bridge sends another one later
  }
  return answer(200, {});
}

/** The body, of which no more is read than is good; undefined if there is more. */
async function read(request: Request): Promise<string | undefined> {
  if (Number(request.headers.get("content-length") ?? 0) > LARGEST) return undefined;
  const reader = request.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let size = 0; reader !== undefined; ) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > LARGEST) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
  return text + decoder.decode();
}

const answer = (status: number, body: object) =>
  Response.json(body, { status, headers: { "Cache-Control": "no-store" } });
