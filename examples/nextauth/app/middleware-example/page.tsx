import { auth } from "@/auth";

export default async function MiddlewareExample() {
  const session = await auth();
  return (
    <>
      <h1>For those who are signed in</h1>
      <p>
        <code>proxy.ts</code> let {session?.user.email ?? session?.wallet} in. Anybody else it sends to the sign-in page.
      </p>
    </>
  );
}
