import { SignInWithDynamic } from "./lazy";

/** The bridge sends the browser here to sign in with Dynamic, and gets it back with a token. */
export default async function SignIn({ searchParams }: PageProps<"/signin">) {
  const { request, prompt } = await searchParams;
  if (typeof request !== "string") return <h1>Nothing to sign in to</h1>;
  return (
    <>
      <h1>Sign in</h1>
      <SignInWithDynamic
        complete={`${process.env.AUTH_DYNAMIC_ISSUER}/signin/complete`}
        request={request}
        anew={prompt !== undefined}
      />
    </>
  );
}
