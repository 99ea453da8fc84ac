import { auth } from "@/auth";

export default async function MiddlewareExample() {
  const session = await auth();
  return (
    <>
      <h1>For those who are signed in</h1>
      <p>
        <code>proxy.ts</code> let you in, <b id="who">{session?.user.email ?? session?.wallet}</b>. Anybody who is not signed
        in it sends to the sign-in page.
      </p>
    </>
  );
}
