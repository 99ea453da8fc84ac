import { auth, signIn } from "@/auth";
import { signOutEverywhere } from "./sign-out";

export default async function Home() {
  const session = await auth();
  if (!session) {
    return (
      <>
        <h1>You are not signed in</h1>
        <form
          action={async () => {
            "use server";
            await signIn("dynamic");
          }}
        >
          <button id="sign-in">Sign in</button>
        </form>
      </>
    );
  }
  return (
    <>
      <h1>Hello, {session.user.name ?? session.user.email ?? session.wallet}</h1>
      <dl>
        <dt>E-mail</dt>
        <dd id="email">{session.user.email ?? "none"}</dd>
        <dt>Wallet</dt>
        <dd id="wallet">{session.wallet ?? "none"}</dd>
      </dl>
      <form action={signOutEverywhere}>
        <button id="sign-out">Sign out</button>
      </form>
    </>
  );
}
