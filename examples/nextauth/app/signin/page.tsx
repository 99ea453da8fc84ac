import { SignInWithDynamic } from "./lazy";
import { dynamicSettings } from "./settings";

/** The bridge sends the browser here to sign in with Dynamic, and gets it back with a token. */
export default async function SignIn({ searchParams }: PageProps<"/signin">) {
  const { request, prompt } = await searchParams;
  const dynamic = dynamicSettings();
  if (typeof request !== "string" || !dynamic) return <h1>Nothing to sign in to</h1>;
  return (
    <>
      <h1>Sign in</h1>
      <SignInWithDynamic
        dynamic={dynamic}
        complete={`${process.env.AUTH_DYNAMIC_ISSUER}/signin/complete`}
        request={request}
        anew={prompt !== undefined}
      />
    </>
  );
}
