export { auth as proxy } from "@/auth";

// Pages alone: here the tokens are renewed, and here the cookie that holds them can be set.
export const config = { matcher: ["/((?!api|_next|favicon.ico).*)"] };
