import { endSessions } from "@/sessions/ended";
import { redeem, Refused } from "@/sessions/logout-token";

/** The bridge tells that a session has ended (OpenID Connect Back-Channel Logout 1.0, sections 2.5 to 2.8). */
export async function POST(request: Request) {
  const form = new URLSearchParams(await request.text());
  try {
    await endSessions(await redeem(form.get("logout_token") ?? ""));
  } catch (error) {
    if (error instanceof Refused) return answer(400, { error: "invalid_request" });
    console.error("A logout token could not be dealt with:", error);
    return answer(503, { error: "temporarily_unavailable" }); // the bridge sends another one later
  }
  return answer(200, {});
}

const answer = (status: number, body: object) =>
  Response.json(body, { status, headers: { "Cache-Control": "no-store" } });
